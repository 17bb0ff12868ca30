"""All tasks at a glance: marks follow from intervals, and duels are paired."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.bootstrap import interval
from wslbench.leaderboard import make_boards, read_results
from wslbench.leaderboard.overview import overview
from wslbench.leaderboard.results import Results
from wslbench.zoo import load_zoo

FLOORS = ("chance", "architecture_only", "decoded_hyperparameters", "hyperparameters")
TASKS = (f"{NAME}.loss-gap", f"{NAME}.test-accuracy", f"{NAME}.phase@new-temperature")


@pytest.fixture(scope="module")
def found(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("overview")
    book, zoo = tiny_tasks(folder), load_zoo(built_tiny_zoo)
    for task in TASKS:
        for noise, name in zip((9.0, 4.0, 0.5, 0.3), FLOORS, strict=True):
            commit(book[task], zoo, folder / "results", name, noise)
        commit(book[task], zoo, folder / "results", "good", 0.01)
        commit(book[task], zoo, folder / "results", "bad", 0.01, reversed_=True)
    commit(book[TASKS[0]], zoo, folder / "results", "failed", 0.01, failed=True)
    return read_results([folder / "results"], book, book.select(task=TASKS), lambda name: zoo)


def cells(table: str, row: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_marks_say_where_the_interval_of_the_lift_lies(found: Results) -> None:
    headlines = overview(make_boards(found))[2]
    assert headlines.splitlines()[0] == "| task | good | bad | best legal floor | oracle |"
    for entries in found.tasks:
        good, bad, floor, _ = cells(headlines, entries.task.id)
        for name, cell in (("good", good), ("bad", bad)):
            record = next(entry.record for entry in entries.entries if entry.record.method.name == name)
            lift = record.lift
            assert cell.startswith("**") == (lift.low > 0)
            assert (cell.startswith("*") and not cell.startswith("**")) == (lift.high < 0)
            value = record.metrics[record.task.headline].value
            assert float(cell.strip("*").replace("−", "-")) == pytest.approx(value, abs=0.006)
            assert floor.endswith(f"({lift.over})")
    assert any(cells(headlines, task)[0].startswith("**") for task in TASKS)
    assert any(re.fullmatch(r"\*[^*]+\*", cells(headlines, task)[1]) for task in TASKS)


def test_duels_count_paired_intervals_and_mirror_each_other(found: Results) -> None:
    boards = make_boards(found)
    duels = overview(boards)[4]
    header = [cell.strip() for cell in duels.splitlines()[0].strip("|").split("|")][1:]
    assert header == ["good", "bad", "architecture_only", "decoded_hyperparameters", "hyperparameters"]
    wins = losses = 0
    for entries in found.tasks:
        by_name = {entry.record.method.name: entry for entry in entries.entries}
        ends = interval(by_name["good"].draws - by_name["bad"].draws, by_name["good"].tail)
        wins, losses = wins + (ends.low > 0), losses + (ends.high < 0)
    assert cells(duels, "good")[1].startswith(f"{wins} : {losses}, ")
    assert cells(duels, "bad")[0].startswith(f"{losses} : {wins}, ")
    assert wins > 0
    assert cells(duels, "good")[0] == "–"
    assert "failed" not in duels


def test_one_task_has_no_overview(found: Results) -> None:
    assert overview(make_boards(found)[:1]) == []
