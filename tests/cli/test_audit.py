"""``wslbench audit``, as a user calls it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.cli import main
from wslbench.zoo import load_zoo

METHOD = """
import numpy as np

class Method:
    '''Reads the spread of the kernels.'''
    def fit(self, models, target, context):
        {fit}
        self.line = np.polyfit(self.read(models), target, 1)
    def read(self, models):
        return np.array([model.tensors()["conv3.weight"].std() for model in models])
    def predict(self, models):
        return np.polyval(self.line, self.read(models))
"""
TASK = f"{NAME}.test-accuracy"


@pytest.fixture
def run(built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    monkeypatch.setattr("wslbench.evaluation.auditor.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.evaluation.work.load_zoo", lambda name: zoo)

    def audit(fit: str, *options: str) -> tuple[int, str, str]:
        path = tmp_path / "method.py"
        path.write_text(METHOD.format(fit=fit))
        command = ["wslbench", "audit", str(path), "--task", TASK, "--out", str(tmp_path / "out"), *options]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    return audit


Run = Callable[..., tuple[int, str, str]]


def test_json_and_nothing_else(run: Run) -> None:
    code, out, _ = run("pass", "--json", "--draws", "2")
    found = json.loads(out)
    assert code == 0
    assert found["task"] == TASK
    assert found["permutation"]["score_drop"] == pytest.approx(0, abs=1e-9)
    assert found["permutation"]["spread"] < 1e-5 < found["scaling"]["spread"]
    assert {"score_drop", "low", "high", "spread", "score"} == set(found["scaling"])


def test_the_table_says_what_was_lost(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("pass", "--draws", "1")
    assert code == 0
    for word in ("as they are", "permuted", "scaled", "drop", "spread", f"audit/{TASK}.json"):
        assert word in out.replace("\n", "")
    assert (tmp_path / "out" / "method" / "audit" / f"{TASK}.json").is_file()


def test_a_failing_method_leaves_with_1(run: Run) -> None:
    code, _, err = run("raise ValueError('no')")
    assert code == 1
    assert "method failed on tiny-cnn.test-accuracy (fit_error): " in err
    assert "Traceback" not in err
