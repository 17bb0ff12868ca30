"""An evaluation that is interrupted or killed leaves no process behind, and goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.evaluation.conftest import WriteMethod
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.containment import PRIVATE_PREFIX

# Odd groups of folds are quick; the others wait for a sub-process, until the file that stops them is gone.
SLOW = """
import subprocess, sys, time
from pathlib import Path
import numpy as np

class Slow:
    def fit(self, models, target, context):
        if context.seed % 2 and Path({brake!r}).exists():
            subprocess.run([sys.executable, "-c", "import time; time.sleep(100)"])
    def predict(self, models):
        return np.ones(len(models))
"""
TASK = f"{NAME}.test-accuracy"


@pytest.fixture
def command(built_tiny_zoo: Path, tmp_path: Path, write_method: WriteMethod) -> list[str]:
    tiny_tasks(tmp_path)
    brake = tmp_path / "brake"
    brake.touch()
    method = write_method(SLOW.format(brake=str(brake)))
    return [
        sys.executable, "-m", "tests.evaluation.tiny_cli", str(tmp_path / "tasks.yaml"), str(built_tiny_zoo),
        "evaluate", str(method), "--task", TASK, "--out", str(tmp_path / "out"), "--jobs", "2",
    ]  # fmt: skip


def start(command: list[str], temporary: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ if temporary is None else {**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.05)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def stuck(process: subprocess.Popen[str]) -> bool:
    """Whether both jobs wait for a sub-process of the method."""
    return sum("time.sleep(100)" in " ".join(_command(each)) for each in family(process)) == 2


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def journaled(tmp_path: Path) -> dict[str, float]:
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("seed-*.json")}


@pytest.mark.parametrize(
    "how",
    [
        signal.SIGINT,
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_an_end_of_the_evaluation_is_the_end_of_its_processes(command: list[str], tmp_path: Path, how: int) -> None:
    # Not the folder of everybody: tests that run beside this one have private folders of their own there.
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start(command, temporary)
    wait_until(lambda: stuck(process))
    started = family(process)
    assert len(started) >= 7  # the server; warden, child and sub-process of two units
    assert len(list(temporary.glob(f"{PRIVATE_PREFIX}*"))) == 2
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    wait_until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in started))
    assert not list(temporary.iterdir())
    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert "The same command goes on from there" in errors
        assert "Traceback" not in errors
    kept = journaled(tmp_path)
    assert not list((tmp_path / "out").rglob(f"{TASK}.json"))

    (tmp_path / "brake").unlink()
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stderr
    (record,) = json.loads(again.stdout)
    assert record["status"] == "ok"
    after = journaled(tmp_path)
    assert len(after) == len(record["units"]) > len(kept)
    assert {name: after[name] for name in kept} == kept
