"""One site for all tests: real results on the tiny zoo, and among them texts of people who mean no good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.leaderboard.boards import commit
from tests.leaderboard.site.browser import CHROMIUM, Browser
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.leaderboard import Results, read_results
from wslbench.leaderboard.board import Board, make_board
from wslbench.leaderboard.export import board_data
from wslbench.leaderboard.site import write_site
from wslbench.leaderboard.tables import to_json
from wslbench.tasks import TaskBook
from wslbench.zoo import Zoo, load_zoo

METHODS = {"good": 0.01, "twin": 0.01, "bad": 5.0, "slow": 0.01}
FLOORS = {"chance": 9.0, "architecture_only": 4.0, "decoded_hyperparameters": 2.0, "hyperparameters": 0.1}
TASKS = (f"{NAME}.phase", f"{NAME}.phase@new-temperature", f"{NAME}.loss-gap")
HOSTILE = 'x"><script>window.caught=1<'
ATTACK = "</script><script>window.caught=1</script>\x1b[31m\u202eevil\u202c {{ 7*7 }} <img src=http://evil.example/x>"


class Site(NamedTuple):
    """A site that was written, and the board behind it as plain data."""

    folder: Path
    board: Board
    data: dict[str, Any]
    zoo: Zoo
    methods: Path
    results: Results
    book: TaskBook


@pytest.fixture(scope="session")
def site(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    zoo, book = load_zoo(built_tiny_zoo), tiny_tasks(folder)
    for task_id in TASKS:
        everyone = {**FLOORS, **METHODS}
        for name in ("chance", "good") if "@" in task_id else everyone:
            seed = list(METHODS).index(name) if name in METHODS else 0
            commit(book[task_id], zoo, folder / "results", name, everyone[name], seed, failed=name == "slow")
    commit(book[TASKS[2]], zoo, folder / "results", HOSTILE, 1.0)
    found = read_results([folder / "results"], book, book.select(), lambda name: zoo)
    assert not found.problems
    board = make_board(replace(found, problems=[f"broken: {ATTACK}"], notes=[f"note: {ATTACK}"]), book)
    board = replace(
        board, tasks=[replace(each, entries=[_hostile(entry) for entry in each.entries]) for each in board.tasks]
    )
    methods = folder / "methods"
    methods.mkdir()
    (methods / "good.py").write_text(f'"""What it does.\n\n{ATTACK!r}\n"""\n\nclass Mine:\n    """In short."""\n')
    data = json.loads(to_json(board_data(board)))
    write_site(board, data, folder / "out", suite="default", open_zoo=lambda name: zoo, methods=methods)
    return Site(folder / "out", board, data, zoo, methods, found, book)


def _hostile(entry):
    """The entry with messages, descriptions and warnings of an attacker."""
    record = entry.record
    method = record.method.model_copy(update={"description": ATTACK})
    units = [unit.model_copy(update={"message": ATTACK}) if unit.status != "ok" else unit for unit in record.units]
    return replace(entry, record=record.model_copy(update={"method": method, "units": units, "warnings": [ATTACK]}))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium to open the site with")
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        opened.show()
        yield opened
