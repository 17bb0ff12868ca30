"""``wslbench leaderboard``, as a user calls it, over results on a tiny zoo."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.cli.leaderboard import leaderboard
from wslbench.errors import ResultError, UnknownTaskError
from wslbench.leaderboard.markdown import READING
from wslbench.zoo import load_zoo

app = typer.Typer()
app.command()(leaderboard)


@pytest.fixture
def results(built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results on the tiny zoo, which stands where the shipped zoos, tasks and results are looked for."""
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    monkeypatch.setattr("wslbench.tasks.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.zoo.load_zoo", lambda name: zoo)
    monkeypatch.setattr("wslbench.bundled.bundled_path", lambda name: tmp_path / "committed")
    commit(book[f"{NAME}.loss-gap"], zoo, tmp_path / "committed", "theirs", 1.0)
    commit(book[f"{NAME}.phase"], zoo, tmp_path / "committed", "theirs", 1.0)
    commit(book[f"{NAME}.loss-gap"], zoo, tmp_path / "mine", "mine", 0.01)
    return tmp_path


def run(*arguments: str | Path):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "240"})


def test_committed_results_are_shown_and_your_own_beside_them(results: Path) -> None:
    alone = run()
    assert alone.exit_code == 0
    assert "theirs" in alone.stdout
    assert "mine" not in alone.stdout
    both = run("--results", results / "mine")
    assert "theirs" in both.stdout
    assert "mine" in both.stdout
    own = run("--results", results / "mine", "--no-committed")
    assert "theirs" not in own.stdout
    assert "mine" in own.stdout


def test_a_task_or_suite_narrows_the_board(results: Path) -> None:
    assert f"{NAME}.loss-gap" not in run("--suite", "quick").stdout
    assert f"{NAME}.phase" not in run("--task", f"{NAME}.loss-gap").stdout
    assert isinstance(run("--task", "nothing").exception, UnknownTaskError)


def test_markdown_is_written_and_what_is_broken_named_in_both(results: Path) -> None:
    broken = results / "mine" / "broken" / f"{NAME}.loss-gap.json"
    broken.parent.mkdir()
    broken.write_text("{}")
    page = results / "board.md"
    shown = run("--results", results / "mine", "--markdown", page)
    assert shown.exit_code == 0
    assert str(broken) in shown.stdout.replace("\n", "")
    assert str(broken) in page.read_text()
    assert "| mine |" in page.read_text()


def test_what_people_wrote_on_the_page_is_kept(results: Path) -> None:
    page = results / "board.md"
    run("--markdown", page)
    first, last = READING
    title, rest = page.read_text().split("\n", 1)
    page.write_text(f"{title}\n\n{first}\n\nIt is *all noise*.\n\n{last}\n{rest}")
    run("--results", results / "mine", "--markdown", page)
    assert f"{first}\n\nIt is *all noise*.\n\n{last}\n" in page.read_text()
    assert "| mine |" in page.read_text()
    again = page.read_text()
    run("--results", results / "mine", "--markdown", page)
    assert page.read_text() == again
    page.write_bytes(b"\xff\xfe")
    assert "cannot be written" in str(run("--markdown", page).exception)
    assert page.read_bytes() == b"\xff\xfe"


def test_nothing_to_show_and_nowhere_to_write_are_clear_errors(results: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no result to show" in str(run("--results", empty, "--no-committed").exception)
    assert isinstance(run("--no-committed").exception, ResultError)
    assert "cannot be written" in str(run("--markdown", tmp_path / "no" / "board.md").exception)
