"""Commands that are killed at random moments, and given again: nothing is lost, done twice, or read half-written.

The whole process group is killed, workers too. Moments are drawn from a seed, over the time that the command takes
undisturbed. ``pytest -m slow tests/crashes/test_killed_at_any_moment.py`` is a hundred kills.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.annotation.foreign import OPTIONS, foreign_zoo
from tests.crashes.conftest import SMALL
from tests.engines.here import Here
from tests.leaderboard.boards import commit
from tests.population.recipes import TINY, tiny_recipe
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.result_files import read_record
from wslbench.population.build import build_zoo
from wslbench.zoo import load_zoo, verify

pytestmark = pytest.mark.slow

METHOD = """
import numpy as np

class Noise:
    def fit(self, models, target, context):
        self.seed = context.seed
    def predict(self, models):
        return np.array([float(model.state_dict()["conv1.weight"].sum()) + self.seed for model in models])
"""
LONGEST = 300.0


class Command:
    """A command that writes into a folder.

    Parameters
    ----------
    arguments
        What stands behind ``python -m``.
    folder
        All that it writes into; taken away where the command came to its end, so that there is something left to kill.
    look
        Called after every kill: raises where something that is there cannot be read whole, or has changed.
    ended
        Called where it came to its end: raises where that is not what an undisturbed call comes to.
    anew
        Called when the folder was taken away.
    over
        Whether a killed call had done all, and only its process had not ended yet.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        look: Callable[[], object] = lambda: None,
        ended: Callable[[], object] = lambda: None,
        anew: Callable[[], object] = lambda: None,
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._line = [sys.executable, "-m", *arguments]
        self._folder = folder
        self._look, self._ended, self._anew, self._over = look, ended, anew, over

    def run(self) -> float:
        """Run it to its end; the seconds that it took."""
        begun = time.monotonic()
        assert not self._killed_after(LONGEST)
        taken = time.monotonic() - begun
        self._ended()
        return taken

    def kill_often(self, kills: int, seconds: float, seed: int) -> None:
        """Kill it so often, each time at a moment of the ``seconds`` that it takes; then let it end."""
        moments = random.Random(seed)
        killed = 0
        for _ in range(4 * kills):
            ended = not self._killed_after(moments.uniform(0.3, 1.0) * seconds)
            if not ended:
                killed += 1
                self._look()
            if ended or self._over():
                self._ended()
                self.take_away()
            if killed == kills:
                self.run()
                return
        pytest.fail(f"it was killed {killed} times, and came to its end else: the moments are too late")

    def take_away(self) -> None:
        """Begin anew."""
        shutil.rmtree(self._folder)
        self._anew()

    def _killed_after(self, seconds: float) -> bool:
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(self._line, stdout=said, stderr=said, start_new_session=True)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
            said.seek(0)
            assert process.returncode == 0, said.read()[-2000:]
            return False


class Seen:
    """Files that must be whole whenever they are there, and stay as they were."""

    def __init__(self, folder: Path, pattern: str, read: Callable[[Path], object]) -> None:
        self._folder, self._pattern, self._read = folder, pattern, read
        self._content: dict[Path, bytes] = {}

    def look(self) -> None:
        for path in self._folder.rglob(self._pattern):
            self._read(path)
            content = path.read_bytes()
            assert self._content.setdefault(path, content) == content, f"{path} was written twice"
        missing = [path for path in self._content if not path.exists()]
        assert not missing, f"{missing} are lost"

    def forget(self) -> None:
        self._content.clear()


class Staged:
    """What is staged of a zoo stays the same files as long as it is there: it is neither trained nor measured again."""

    def __init__(self, staging: Path, zoo: Callable[[], bool]) -> None:
        self._staging, self._zoo = staging, zoo
        self._stamps: dict[Path, tuple[int, int]] = {}

    def look(self) -> None:
        cells = self._staging.glob("width=*/*")
        found = {path: _stamp(path) for path in (*cells, *self._staging.glob(".blocks/*.safetensors"))}
        for path, stamp in self._stamps.items():
            if path in found:
                assert found[path] == stamp, f"{path} was written twice"
            else:
                assert path.parent.name == ".blocks" or self._zoo(), f"{path} is lost"
        self._stamps |= found

    def forget(self) -> None:
        self._stamps.clear()


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tiny(built_tiny_zoo: Path, tmp_path: Path) -> list[str]:
    """The command line on the tiny zoo."""
    tiny_tasks(tmp_path)
    return ["tests.evaluation.tiny_cli", str(tmp_path / "tasks.yaml"), str(built_tiny_zoo)]


def test_evaluate(tiny: list[str], tmp_path: Path) -> None:
    method = tmp_path / "noise.py"
    method.write_text(METHOD)
    alone, out = tmp_path / "undisturbed", tmp_path / "out"
    journal = Seen(out, "seed-*.json", _json)
    tasks = [part for name in ("loss-gap", "test-accuracy") for part in ("--task", f"{NAME}.{name}")]
    line = [*tiny, "evaluate", str(method), *tasks, "--jobs", "2", "--out"]

    def look() -> None:
        journal.look()
        for path in (out / "noise").glob("*.json"):
            read_record(path)
            pd.read_parquet(path.with_suffix(".parquet"))

    def ended() -> None:
        look()
        assert _files(out) == _files(alone)
        for path in (alone / "noise").glob("*.json"):
            once, disturbed = read_record(path), read_record(out / "noise" / path.name)
            assert disturbed.metrics == once.metrics
            assert disturbed.provenance.predictions == once.provenance.predictions
            assert [unit.status for unit in disturbed.units] == ["ok"] * len(once.units)

    seconds = Command([*line, str(alone)], alone).run()
    Command([*line, str(out)], out, look, ended, journal.forget).kill_often(25, seconds, seed=0)


def test_leaderboard_build(tiny: list[str], built_tiny_zoo: Path, tmp_path: Path) -> None:
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    for name, noise in (("good", 0.01), ("bad", 3.0)):
        for task in ("loss-gap", "phase"):
            commit(book[f"{NAME}.{task}"], zoo, tmp_path / "results", name, noise)
    alone, out = tmp_path / "undisturbed", tmp_path / "board"
    line = [*tiny, "leaderboard", "build", "--results", str(tmp_path / "results"), "--no-committed", "--out"]
    seconds = Command([*line, str(alone)], alone).run()
    whole = _content(alone)

    def look() -> None:
        for name, written in _content(out).items():
            if name in whole:
                assert written == whole[name], f"{name} is half-written"

    def ended() -> None:
        assert _content(out) == whole

    Command([*line, str(out)], out, look, ended).kill_often(25, seconds, seed=0)


@pytest.mark.parametrize(("jobs", "kills"), [(1, 12), (2, 13)])
def test_zoo_build(tmp_path: Path, jobs: int, kills: int) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(SMALL | {"load": TINY["load"]}))  # two blocks
    alone, work = tmp_path / "undisturbed", tmp_path / "work"
    zoo = work / "tiny"
    staging = work / "tiny.partial"
    staged = Staged(staging, zoo.exists)

    def look() -> None:
        staged.look()
        if zoo.exists():
            assert verify(load_zoo(zoo)) == []

    def ended() -> None:
        look()
        assert load_zoo(zoo).versions == load_zoo(alone / "tiny").versions
        assert _files(work) == _files(alone)

    line = ["wslbench", "zoo", "build", str(recipe), "--jobs", str(jobs), "--out"]
    seconds = Command([*line, str(alone / "tiny")], alone).run()

    def over() -> bool:
        return zoo.exists() and not staging.exists()

    Command([*line, str(zoo)], work, look, ended, staged.forget, over).kill_often(kills, seconds, seed=jobs)


@pytest.mark.parametrize(("jobs", "kills"), [(1, 12), (2, 13)])
def test_zoo_annotate(tmp_path: Path, jobs: int, kills: int) -> None:
    built = build_zoo(tiny_recipe(**SMALL | {"load": TINY["load"]}), tmp_path / "built", engine=Here()).zoo
    alone, work = tmp_path / "undisturbed", tmp_path / "work"
    bare = foreign_zoo(built, alone / "bare", keep=lambda row: row["measured"])
    options = tmp_path / "options.yaml"
    options.write_text(yaml.safe_dump(OPTIONS | {"hessian": SMALL["hessian"], "curve": SMALL["curve"]}))
    shutil.copytree(alone, tmp_path / "bare")
    shutil.copytree(alone, work)
    zoo = work / "bare"

    def annotated() -> bool:
        return load_zoo(zoo).card.annotation_version == 2

    staging = work / "bare.annotation.partial"
    staged = Staged(staging, annotated)

    def look() -> None:
        found = load_zoo(zoo)
        assert verify(found) == []
        assert found.versions["weights"] == bare.versions["weights"]
        staged.look()

    def ended() -> None:
        look()
        found, once = load_zoo(zoo), load_zoo(alone / "bare")
        assert found.card.annotation_version == 2
        assert found.table["phase"].fillna("none").tolist() == once.table["phase"].fillna("none").tolist()
        for name in ("train_loss", "hessian_trace", "mode_connectivity", "cka"):
            # How many are measured as one stack follows from a short measurement of time.
            assert found.table[name].to_numpy() == pytest.approx(
                once.table[name].to_numpy(), rel=1e-4, abs=0.4, nan_ok=True
            )
        assert _files(work) == _files(alone)

    def anew() -> None:
        staged.forget()
        shutil.copytree(tmp_path / "bare", work)

    line = ["wslbench", "zoo", "annotate", "--options", str(options), "--jobs", str(jobs)]
    seconds = Command([*line, str(alone / "bare")], alone).run()

    def over() -> bool:
        return annotated() and not staging.exists()

    Command([*line, str(zoo)], work, look, ended, anew, over).kill_often(kills, seconds, seed=jobs)
