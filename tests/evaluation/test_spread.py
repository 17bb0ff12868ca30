"""Units on the workers of an engine: the numbers of the evaluation that does without, also where workers are killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest

from tests.evaluation.conftest import WriteMethod
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.engines import Engine, make_engine
from wslbench.errors import MethodError
from wslbench.evaluation import Progress, ResultRecord, Settings, evaluate
from wslbench.evaluation.bubblewrap import obstacle

ACCURACY, PHASE = f"{NAME}.test-accuracy", f"{NAME}.phase"
METHOD = """
import os, signal, time
from pathlib import Path
import numpy as np

class Method:
    def fit(self, models, target, context):
        self.classes, self.value = context.classes, np.random.default_rng(context.seed).normal()
        {fit}
    def predict(self, models):
        scale = np.array([m.tensors()["conv1.weight"].std() for m in models]) + self.value
        if not self.classes:
            return scale
        return np.eye(len(self.classes))[(100 * scale).astype(int) % len(self.classes)] * .9 + .02
"""


@pytest.fixture
def run(built_tiny_zoo: Path, tmp_path: Path):
    book = tiny_tasks(tmp_path)

    def evaluate_here(
        path: Path, engine: Engine | None, tasks: tuple[str, ...] = (ACCURACY,), **more: Any
    ) -> list[ResultRecord]:
        more = {"out": tmp_path / "out", "settings": Settings(jobs=2)} | more
        return evaluate(path, tasks, seeds=2, book=book, zoos={NAME: built_tiny_zoo}, engine=engine, **more)

    return evaluate_here


def same_numbers(first: Path, second: Path) -> bool:
    """Whether the predictions of two results folders are alike, bit for bit."""
    one, other = (pd.read_parquet(folder / "method" / f"{ACCURACY}.parquet") for folder in (first, second))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    return True


@pytest.fixture
def quiet_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@pytest.mark.slow
@pytest.mark.usefixtures("quiet_ray")
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_workers_give_the_same_numbers_and_one_that_is_killed_loses_nothing(
    run, write_method: WriteMethod, tmp_path: Path, engine: Literal["local", "ray"]
) -> None:
    # The first unit to come so far takes its worker along: the parents are warden, server and worker.
    tally, killed = tmp_path / "tally", tmp_path / "killed"
    fit = f"""
        import subprocess
        unit = f"{{context.task.target}}-{{context.seed}}"
        subprocess.run(["sh", "-c", f"echo x >> {tally}/{{unit}}"])
        if subprocess.run(["mkdir", "{killed}"], capture_output=True).returncode == 0:
            parent = os.getpid()
            for _ in range(3):
                parent = int(Path(f"/proc/{{parent}}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(parent, signal.SIGKILL)
            time.sleep(30)"""
    path = write_method(METHOD.format(fit=fit.strip()))
    killed.mkdir()
    here = run(path, None, out=tmp_path / "here")
    killed.rmdir()
    tally.mkdir()
    seen: list[Progress] = []
    there = run(path, make_engine(engine, 2), out=tmp_path / "there", on_progress=seen.append)
    assert same_numbers(tmp_path / "here", tmp_path / "there")
    assert [record.metrics for record in there] == [record.metrics for record in here]
    units = sum(len(record.units) for record in there)
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1] == Progress(done=units, total=units, kept=0, failed=0)
    assert sorted(len(each.read_text().split()) for each in tally.iterdir()) == [1] * (units - 1) + [2]


@pytest.mark.slow
def test_a_task_is_given_up_as_without_workers(run, write_method: WriteMethod, tmp_path: Path) -> None:
    path = write_method(METHOD.format(fit="assert self.classes, 'phases alone'"))
    for name, engine in {"here": None, "there": make_engine("local", 2)}.items():
        accuracy, phase = run(path, engine, (ACCURACY, PHASE), out=tmp_path / name)
        assert (accuracy.status, phase.status) == ("fit_error", "ok")
        assert {unit.message for unit in accuracy.units if unit.seed} == {
            "not run, because every fold of the first seed failed"
        }
    seen: list[Progress] = []
    run(path, make_engine("local", 2), (ACCURACY, PHASE), out=tmp_path / "there", on_progress=seen.append)
    assert seen[-1].kept == seen[-1].done  # failures too
    run(path, make_engine("local", 2), out=tmp_path / "there", settings=Settings(retry_failures=True))


def test_a_method_that_cannot_be_loaded_is_refused(run, write_method: WriteMethod) -> None:
    with pytest.raises(MethodError, match="No module named"):
        run(write_method("import no_such_module\n" + METHOD.format(fit="pass")), make_engine("local", 2))


@pytest.mark.slow
@pytest.mark.usefixtures("quiet_ray")
@pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))
def test_a_ray_cluster_gives_the_same_numbers_in_the_sandbox(run, write_method: WriteMethod, tmp_path: Path) -> None:
    path = write_method(METHOD.format(fit="assert len(list(Path('/proc').glob('[0-9]*'))) < 10, 'not in a sandbox'"))
    sandboxed = Settings(isolation="sandbox")
    (here,) = run(path, None, out=tmp_path / "here", settings=sandboxed)
    (there,) = run(path, make_engine("ray", 2), out=tmp_path / "there", settings=sandboxed)
    assert same_numbers(tmp_path / "here", tmp_path / "there")
    assert (here.status, here.tier) == (there.status, there.tier) == ("ok", "sandbox")
