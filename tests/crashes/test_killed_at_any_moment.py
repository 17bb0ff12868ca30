"""Commands that are killed at random moments, and given again: nothing is lost, done twice, or read half-written.

Moments are drawn from a seed, over the time that the command takes undisturbed. ``pytest -m slow tests/crashes`` is
seventy kills.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.result_files import read_record
from wslbench.zoo import load_zoo

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
        Taken away where the command came to its end, so that there is something left to kill.
    look
        Called after every kill: raises where something that is there cannot be read whole, or has changed.
    forget
        Called where the folder was taken away.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        look: Callable[[], object],
        forget: Callable[[], object] = lambda: None,
    ) -> None:
        self._line = [sys.executable, "-m", *arguments]
        self._folder = folder
        self._look = look
        self._forget = forget

    def run(self) -> float:
        """Run it to its end; the seconds that it took."""
        begun = time.monotonic()
        done = subprocess.run(self._line, capture_output=True, text=True, timeout=LONGEST, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return time.monotonic() - begun

    def kill_often(self, kills: int, seconds: float, seed: int) -> None:
        """Kill it so often, each time at another moment of the ``seconds`` that it takes."""
        moments = random.Random(seed)
        killed = 0
        for _ in range(4 * kills):
            if self._killed_after(moments.uniform(0.2, 1.0) * seconds):
                killed += 1
                self._look()
            elif self._folder.exists():
                self.take_away()
            if killed == kills:
                return
        pytest.fail(f"it was killed {killed} times, and came to its end else: the moments are too late")

    def take_away(self) -> None:
        """Begin anew."""
        shutil.rmtree(self._folder)
        self._forget()

    def _killed_after(self, seconds: float) -> bool:
        process = subprocess.Popen(
            self._line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
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


def _json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def tiny(built_tiny_zoo: Path, tmp_path: Path) -> list[str]:
    """The command line on the tiny zoo."""
    tiny_tasks(tmp_path)
    return ["tests.evaluation.tiny_cli", str(tmp_path / "tasks.yaml"), str(built_tiny_zoo)]


def test_evaluate(tiny: list[str], tmp_path: Path) -> None:
    method = tmp_path / "noise.py"
    method.write_text(METHOD)
    out = tmp_path / "out"
    journal = Seen(out, "seed-*.json", _json)

    def into(out: Path, look: Callable[[], object]) -> Command:
        tasks = [part for name in ("loss-gap", "test-accuracy") for part in ("--task", f"{NAME}.{name}")]
        return Command(
            [*tiny, "evaluate", str(method), *tasks, "--out", str(out), "--jobs", "2"], out, look, journal.forget
        )

    seconds = into(tmp_path / "undisturbed", lambda: None).run()

    def look() -> None:
        journal.look()
        for path in (out / "noise").glob("*.json"):
            read_record(path)
            pd.read_parquet(path.with_suffix(".parquet"))

    command = into(out, look)
    for part in range(4):
        command.kill_often(10, seconds, seed=part)
        command.run()
        look()
        for path in (tmp_path / "undisturbed" / "noise").glob("*.json"):
            alone, disturbed = read_record(path), read_record(out / "noise" / path.name)
            assert disturbed.metrics == alone.metrics
            assert disturbed.provenance.predictions == alone.provenance.predictions
            assert [unit.status for unit in disturbed.units] == ["ok"] * len(alone.units)
        command.take_away()


def test_leaderboard_build(tiny: list[str], built_tiny_zoo: Path, tmp_path: Path) -> None:
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    for name, noise in (("good", 0.01), ("bad", 3.0)):
        for task in ("loss-gap", "phase"):
            commit(book[f"{NAME}.{task}"], zoo, tmp_path / "results", name, noise)

    def into(out: Path, look: Callable[[], object]) -> Command:
        results = ["--results", str(tmp_path / "results"), "--no-committed"]
        return Command([*tiny, "leaderboard", "build", "--out", str(out), *results], out, look)

    def content(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    seconds = into(tmp_path / "undisturbed", lambda: None).run()
    whole = content(tmp_path / "undisturbed")
    out = tmp_path / "board"

    def look() -> None:
        for name, written in content(out).items():
            if name in whole:
                assert written == whole[name], f"{name} is half-written"

    command = into(out, look)
    for part in range(3):
        command.kill_often(10, seconds, seed=part)
        command.run()
        assert content(out) == whole
        command.take_away()
