"""``wslbench evaluate``, ``check`` and ``new``, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.cli import main
from wslbench.evaluation import ResultRecord
from wslbench.zoo import load_zoo

METHOD = """
import numpy as np

class Method:
    '''A method for tests.'''
    def fit(self, models, target, context):
        {fit}
        self.classes = context.classes
    def predict(self, models):
        return np.full((len(models), 5), 0.2) if self.classes else np.ones(len(models))
"""


def wslbench(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wslbench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)


@pytest.fixture
def tiny(
    built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line on the tiny zoo, in this process."""
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    monkeypatch.setattr("wslbench.evaluation.evaluator.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.evaluation.work.load_zoo", lambda name: zoo)
    monkeypatch.setattr("wslbench.tasks.load_tasks", lambda: book)  # as the report finds them
    monkeypatch.setattr("wslbench.zoo.load_zoo", lambda name: zoo)

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["wslbench", *map(str, arguments)]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(command, left.value.code or 0, out, err)

    return run


def write(folder: Path, fit: str = "pass") -> Path:
    path = folder / "method.py"
    path.write_text(METHOD.format(fit=fit))
    return path


def is_one_clear_paragraph(done: subprocess.CompletedProcess[str]) -> bool:
    return "Traceback" not in done.stderr and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_the_path_to_the_help_is_short() -> None:
    code = (
        "import sys, wslbench.cli\n"
        "slow = {'torch', 'pandas', 'scipy', 'pydantic', 'rich', 'numpy', 'yaml', 'psutil'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_and_version(tmp_path: Path) -> None:
    done = wslbench("--help", folder=tmp_path)
    assert done.returncode == 0
    for command in ("new", "check", "evaluate", "audit", "leaderboard", "tasks", "zoo"):
        assert f"\n  {command} " in done.stdout
    version = wslbench("--version", folder=tmp_path)
    assert version.returncode == 0
    assert version.stdout.startswith("wslbench ")


def test_a_table_and_an_exit_code_of_success(tiny, tmp_path: Path) -> None:
    done = tiny("evaluate", write(tmp_path), "--task", f"{NAME}.phase", "--seeds", "1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "method" in done.stdout
    assert "`process`" in done.stdout
    assert (tmp_path / "out" / "method" / f"{NAME}.phase.json").is_file()
    assert done.stderr == ""


def test_json_is_all_that_is_printed_and_a_failure_is_a_paragraph(tiny, tmp_path: Path) -> None:
    method = write(tmp_path, "raise ValueError('no')")
    done = tiny("evaluate", method, "--task", f"{NAME}.loss-gap", "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    (record,) = json.loads(done.stdout)
    assert ResultRecord.model_validate(record).status == "fit_error"
    assert done.stderr.count("\n") == 1
    assert f"{NAME}.loss-gap, fold 0, seed 0, and " in done.stderr
    assert "fit_error: ValueError: no (method.py:7, in fit" in done.stderr


def test_errors_are_one_paragraph_and_leave_with_two(tiny, tmp_path: Path) -> None:
    method = write(tmp_path)
    (tmp_path / "broken.py").write_text("class A(:\n")
    (tmp_path / "empty.py").write_text("")
    out = tmp_path / "out"
    for arguments, words in (
        (("evaluate", tmp_path / "absent.py", "--out", out), "no method file"),
        (("evaluate", tmp_path / "broken.py", "--out", out), "line 1"),
        (("evaluate", tmp_path / "empty.py", "--out", out), "defines no method"),
        (("evaluate", method, "--task", "nothing", "--out", out), "no task 'nothing'"),
        (("evaluate", method, "--suite", "nothing", "--out", out), "no suite 'nothing'"),
        (("evaluate", method, "--out", method / "out"), "is not a folder"),
        (("check", tmp_path / "empty.py"), "defines no method"),
        (("new", method), "exists already"),
    ):
        done = tiny(*arguments)
        assert done.returncode == 2, done
        assert is_one_clear_paragraph(done), done.stderr
        assert words in done.stderr
        assert done.stdout == ""
        assert not out.exists()


def test_amounts_of_memory_are_read_with_their_units(tiny, tmp_path: Path) -> None:
    done = tiny("evaluate", write(tmp_path), "--max-memory", "lots")
    assert done.returncode == 2
    assert "'lots' is no amount of memory" in done.stderr
    hog = write(tmp_path, "import time; self.x = np.ones(2**26); time.sleep(9)")
    arguments = ("--task", f"{NAME}.phase", "--seeds", "1", "--max-memory", "300MiB", "--out", tmp_path / "out")
    done = tiny("evaluate", hog, *arguments)
    assert done.returncode == 1
    assert "more than the 0.29 GiB" in done.stderr
    assert "out_of_memory" in done.stderr


def test_without_bubblewrap_the_sandbox_gives_way_and_says_why(
    tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wslbench.evaluation.bubblewrap.obstacle", lambda: "there is none: apt-get install bubblewrap")
    options = ("--task", f"{NAME}.phase", "--seeds", "1", "--isolation", "sandbox", "--out", tmp_path / "out")
    done = tiny("evaluate", write(tmp_path), *options, "--json")
    assert done.returncode == 0
    assert "apt-get install bubblewrap" in done.stderr
    (record,) = json.loads(done.stdout)
    assert record["tier"] == "process"
    assert "apt-get install bubblewrap" in record["warnings"][0]


def test_from_new_to_check(tmp_path: Path) -> None:
    assert wslbench("new", "mine.py", folder=tmp_path).returncode == 0
    done = wslbench("check", "mine.py", "--kind", "accuracy_prediction", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n  ok ") == 3
    assert "wslbench evaluate mine.py" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_a_check_that_fails_leaves_with_one(tiny, tmp_path: Path) -> None:
    done = tiny("check", write(tmp_path, "raise ValueError('no')"), "--kind", "accuracy_prediction")
    assert done.returncode == 1
    assert "3 of 3 checks failed" in done.stderr
    assert "ValueError: no" in done.stdout


def test_a_page_shows_what_the_terminal_showed(tiny: Callable[..., object], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = tiny(
        "evaluate",
        write(tmp_path),
        "--task",
        f"{NAME}.loss-gap",
        "--seeds",
        "1",
        "--out",
        tmp_path / "out",
        "--html",
        page,
    )
    text = page.read_text(encoding="utf-8")
    assert "<title>method · wslbench</title>" in text
    sentence = next(line for line in done.stdout.splitlines() if line.startswith("method reaches "))
    assert sentence.split(",")[0] in text


def test_a_page_that_cannot_be_written_is_named(tiny: Callable[..., object], tmp_path: Path) -> None:
    page = tmp_path / "absent" / "page.html"
    done = tiny(
        "evaluate",
        write(tmp_path),
        "--task",
        f"{NAME}.loss-gap",
        "--seeds",
        "1",
        "--out",
        tmp_path / "out",
        "--html",
        page,
    )
    assert done.returncode == 2
    assert f"{page}: the page cannot be written" in done.stderr
