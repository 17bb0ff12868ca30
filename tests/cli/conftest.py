"""A board of results on the tiny zoo, one that wants to join it, and the command line over both."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.cli import main
from wslbench.evaluation.floors import FLOORS
from wslbench.leaderboard.rescoring import rescore
from wslbench.tasks import TaskBook
from wslbench.zoo import Zoo, load_zoo

TASK, OTHER_TASK = f"{NAME}.loss-gap", f"{NAME}.phase"


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Desk(NamedTuple):
    """A copy of everything, for one test.

    Attributes
    ----------
    board
        Results of the floors, ``good``, ``bad`` and ``slow`` (which failed) on one task, and of ``lone`` on another.
    submitted
        ``mine``'s result on the first task, scored beside the board's floors.
    run
        Calls ``wslbench leaderboard`` with the board in the place of the committed results.
    """

    board: Path
    submitted: Path
    book: TaskBook
    zoo: Zoo
    run: Callable[..., Said]


@pytest.fixture(scope="session")
def made(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskBook, Zoo]:
    folder = tmp_path_factory.mktemp("desk")
    book, zoo = tiny_tasks(folder), load_zoo(built_tiny_zoo)
    board = folder / "board"
    for noise, name in zip((9.0, 4.0, 2.0, 0.1), FLOORS, strict=True):
        commit(book[TASK], zoo, board, name, noise)
    for noise, name in ((0.01, "good"), (5.0, "bad"), (0.5, "mine")):
        commit(book[TASK], zoo, board, name, noise)
    commit(book[TASK], zoo, board, "slow", 0.02, failed=True)
    commit(book[OTHER_TASK], zoo, board, "lone", 1.0)
    rescore([board], book, lambda name: zoo, board)  # each beside all floors, the first ones too
    shutil.move(board / "mine", folder / "submitted" / "mine")
    return folder, book, zoo


@pytest.fixture
def desk(
    made: tuple[Path, TaskBook, Zoo],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    folder, book, zoo = made
    for name in ("board", "submitted"):
        shutil.copytree(folder / name, tmp_path / name)
    monkeypatch.setattr("wslbench.tasks.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.zoo.load_zoo", lambda name: zoo)
    monkeypatch.setattr("wslbench.bundled.bundled_path", lambda name: tmp_path / "board")
    monkeypatch.setenv("WSLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["wslbench", "leaderboard", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        code = left.value.code
        assert isinstance(code, int)
        return Said(code, *capsys.readouterr())

    return Desk(tmp_path / "board", tmp_path / "submitted", book, zoo, run)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
