"""An evaluation end to end on the tiny zoo: what it writes, what it keeps, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from tests.evaluation.conftest import WriteMethod
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.errors import MethodError, ResultError, UnknownTaskError, WslbenchError, ZooDamagedError, ZooVersionError
from wslbench.evaluation import Limits, Progress, ResultRecord, Settings, evaluate, read_record
from wslbench.evaluation.tier import TIER
from wslbench.population.synthetic_zoo import synthesise_zoo

PHASE, ACCURACY = f"{NAME}.phase", f"{NAME}.test-accuracy"
GOOD = """
import numpy as np

class Scale:
    '''Reads the scale of the weights.'''
    def fit(self, models, target, context):
        x = self.scale(models)
        self.classes = list(context.classes)
        if self.classes:
            self.centres = np.array([np.median(x[target == c]) if (target == c).any() else 9e9 for c in self.classes])
        else:
            self.line = np.polyfit(x, target, 1)
        self.noise = np.random.default_rng(context.seed).normal()
        {fit}
    def scale(self, models):
        return np.array([m.tensors()["conv3.weight"].std() for m in models])
    def predict(self, models):
        x = self.scale(models)
        if not self.classes:
            return np.polyval(self.line, x) + 1e-3 * self.noise
        p = 1e-3 + np.eye(len(self.classes))[np.abs(x[:, None] - self.centres).argmin(1)]
        return p / p.sum(1, keepdims=True)
"""


@pytest.fixture
def run(built_tiny_zoo: Path, tmp_path: Path):
    """Evaluate on the tiny zoo, with a seed and all defaults unless told otherwise."""
    book = tiny_tasks(tmp_path)

    def evaluate_here(method: str | Path, tasks: tuple[str, ...] = (PHASE,), **options: Any) -> list[ResultRecord]:
        options = {"seeds": 1, "out": tmp_path / "out", "book": book, "zoos": {NAME: built_tiny_zoo}} | options
        return evaluate(method, tasks, **options)

    return evaluate_here


def good(fit: str = "pass") -> str:
    return GOOD.format(fit=fit)


def test_results_are_written_where_and_as_they_are_promised(run, write_method: WriteMethod, tmp_path: Path) -> None:
    records = run(write_method(good(), "scale.py"), (), suite="quick", seeds=2)
    assert [record.task.id for record in records] == [PHASE, ACCURACY]
    for record in records:
        path = tmp_path / "out" / "scale" / f"{record.task.id}.json"
        assert read_record(path) == record
        content = json.loads(path.read_text())
        assert (content["status"], content["tier"], content["coverage"]) == ("ok", TIER, 1.0)
        assert content["method"]["description"] == "Reads the scale of the weights."
        assert content["cost"]["fit_seconds"] > 0
        assert content["cost"]["peak_memory_bytes"] > 2**20
        assert str(tmp_path) not in path.read_text()
    phases = pd.read_parquet(tmp_path / "out/scale" / f"{PHASE}.parquet")
    assert len(phases) == 2 * 30
    columns = [name for name in phases if name.startswith("p:")]
    guessed = np.array([name[2:] for name in columns])[phases[columns].to_numpy().argmax(1)]
    scores = [
        balanced_accuracy_score(phases["phase"][rows], guessed[rows])
        for rows in (phases["seed"] == 0, phases["seed"] == 1)
    ]
    assert records[0].metrics["balanced_accuracy"].value == pytest.approx(np.mean(scores))
    assert records[0].metrics["balanced_accuracy"].value > 0.5
    assert set(records[1].metrics) >= {"r2", "kendall_tau", "spearman", "mae"}


def test_results_on_a_synthetic_zoo_say_so(run, write_method: WriteMethod, tmp_path: Path) -> None:
    zoo = synthesise_zoo(tmp_path / "zoo", 100)
    book = tiny_tasks(tmp_path, zoo.name)
    (record,) = run(write_method(good()), (f"{zoo.name}.phase",), book=book, zoos={zoo.name: zoo})
    assert record.status == "ok"
    assert record.metrics["balanced_accuracy"].value > 0.5
    assert any("is synthetic" in warning for warning in record.warnings)


def test_numbers_do_not_depend_on_jobs_nor_on_forking(run, write_method: WriteMethod, tmp_path: Path) -> None:
    method = write_method(good())
    for name, settings in {"one": Settings(jobs=1), "three": Settings(jobs=3), "spawn": Settings(fork=False)}.items():
        run(method, (ACCURACY,), seeds=1 if name == "spawn" else 2, out=tmp_path / name, settings=settings)
    one, three, spawn = (
        pd.read_parquet(tmp_path / name / f"method/{ACCURACY}.parquet") for name in ("one", "three", "spawn")
    )
    pd.testing.assert_frame_equal(one, three, check_exact=True)
    pd.testing.assert_frame_equal(one[one["seed"] == 0], spawn, check_exact=True)
    assert one.groupby("model_id")["prediction"].nunique().max() == 2  # seeds do differ


def test_finished_units_are_not_run_again(run, write_method: WriteMethod) -> None:
    method = write_method(good())
    seen: list[Progress] = []
    (first,) = run(method, seeds=1)
    (second,) = run(method, seeds=2, on_progress=seen.append)
    folds = len(first.units)
    assert seen[0] == Progress(done=folds, total=2 * folds, kept=folds, failed=0)
    assert seen[-1] == Progress(done=2 * folds, total=2 * folds, kept=folds, failed=0)
    assert second.units[:folds] == first.units  # also their seconds, which a second run would not repeat


def test_a_changed_method_runs_anew(run, write_method: WriteMethod) -> None:
    run(write_method(good()))
    seen: list[Progress] = []
    run(write_method(good("self.more = 1")), on_progress=seen.append)
    assert seen[-1].kept == 0


def test_a_failure_is_a_result(run, write_method: WriteMethod, tmp_path: Path) -> None:
    method = write_method(good("assert not self.classes, 'no phases, please'"))
    phase, accuracy = run(method, (PHASE, ACCURACY), seeds=3)
    assert accuracy.status == "ok"
    assert (phase.status, phase.failed_share) == ("fit_error", 1.0)
    assert "no phases, please" in phase.units[0].message
    assert "not run" in phase.units[-1].message
    assert any("first seed failed" in warning for warning in phase.warnings)
    assert (tmp_path / f"out/method/{PHASE}.parquet").exists()
    assert phase.metrics["balanced_accuracy"].value is not None


def test_a_failure_in_one_fold_leaves_the_others(run, write_method: WriteMethod) -> None:
    method = write_method(good("assert context.seed % 2, 'even'"))
    (record,) = run(method, (ACCURACY,), seeds=2)
    kinds = {unit.status for unit in record.units}
    assert kinds == {"ok", "fit_error"}
    assert record.status == "fit_error"
    assert 0 < record.failed_share < 1
    assert any(unit.status == "ok" and unit.seed == 1 for unit in record.units)


def test_failures_run_again_only_when_asked(run, write_method: WriteMethod) -> None:
    method = write_method(good("assert context.seed % 2, 'even'"))
    (record,) = run(method)
    failed = sum(unit.status != "ok" for unit in record.units)
    total = len(record.units)
    seen: list[Progress] = []
    run(method, on_progress=seen.append)
    assert seen[-1].kept == total
    run(method, on_progress=seen.append, settings=Settings(retry_failures=True))
    assert seen[-1].kept == total - failed < total


def test_more_time_runs_a_timeout_again(run, write_method: WriteMethod) -> None:
    method = write_method("import time\n" + good("time.sleep(0.6)"))
    (record,) = run(method, settings=Settings(limits=Limits(0.3), jobs=4))
    assert record.status == "timeout"
    (record,) = run(method, settings=Settings(limits=Limits(60.0), jobs=4))
    assert record.status == "ok"


def test_unsupported_architectures_lower_the_coverage(run, write_method: WriteMethod) -> None:
    source = good() + "    def supports(self, a):\n        return 'odd' if a.arguments['width'] % 2 else None\n"
    (record,) = run(write_method(source))
    assert record.status == "ok"
    assert record.coverage == pytest.approx(0.5)
    assert record.failed_share == pytest.approx(0.5)
    assert any("w3 is not supported by the method (odd)" in warning for warning in record.warnings)


def test_the_oracle_is_flagged(run, write_method: WriteMethod) -> None:
    source = """
    import numpy as np
    class Oracle:
        privilege = "hyperparameters"
        def fit(self, models, target, context):
            assert list(context.hyperparameters) == ["load", "temperature"]
            self.line = np.polyfit(np.log(context.hyperparameters["temperature"]), target, 1)
        def predict(self, models, hyperparameters):
            return np.polyval(self.line, np.log(hyperparameters["temperature"]))
    """
    (record,) = run(write_method(source), (ACCURACY,))
    assert (record.status, record.method.privilege) == ("ok", "hyperparameters")


def test_a_method_that_is_edited_meanwhile_is_refused(run, write_method: WriteMethod) -> None:
    path = write_method(good())

    def edit(progress: Progress) -> None:
        path.write_text(good("self.edited = 1"))

    with pytest.raises(MethodError, match="was edited while"):
        run(path, on_progress=edit)


@pytest.mark.parametrize("source", ["x = 1", "1 / 0", "def f(:"])
def test_what_is_no_method_leaves_no_trace(run, write_method: WriteMethod, tmp_path: Path, source: str) -> None:
    with pytest.raises(MethodError):
        run(write_method(source))
    assert not (tmp_path / "out").exists()


def test_unknown_tasks_and_suites_are_refused_before_anything(run, write_method: WriteMethod, tmp_path: Path) -> None:
    with pytest.raises(UnknownTaskError, match="did you mean"):
        run(write_method(good()), (f"{NAME}.phases",))
    with pytest.raises(UnknownTaskError, match="no suite"):
        run(write_method(good()), (), suite="quickest")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_refused_first(run, write_method: WriteMethod, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="is not a folder"):
        run(write_method(good()), out=tmp_path / "file" / "results")
    with pytest.raises((ResultError, PermissionError), match="cannot be written"):
        run(write_method(good()), out="/proc/wslbench")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "seeds is 0"),
        ({"settings": Settings(jobs=0)}, "jobs is 0"),
        ({"settings": Settings(limits=Limits(-1.0))}, "timeout is -1"),
        ({"settings": Settings(limits=Limits(float("nan")))}, "timeout is nan"),
    ],
)
def test_senseless_numbers_are_refused(run, write_method: WriteMethod, options: dict[str, Any], words: str) -> None:
    with pytest.raises(WslbenchError, match=words):
        run(write_method(good()), **options)


def test_a_damaged_zoo_is_refused(run, write_method: WriteMethod, tiny_zoo: Path, tmp_path: Path) -> None:
    shard = next(tiny_zoo.rglob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(ZooDamagedError, match=shard.name):
        run(write_method(good()), zoos={NAME: tiny_zoo})
    assert not (tmp_path / "out").exists()


def test_a_zoo_of_the_future_is_refused(run, write_method: WriteMethod, tiny_zoo: Path) -> None:
    path = tiny_zoo / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"format_version": manifest["format_version"] + 1}))
    with pytest.raises(ZooVersionError):
        run(write_method(good()), zoos={NAME: tiny_zoo})
