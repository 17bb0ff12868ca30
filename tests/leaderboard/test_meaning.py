"""A fresh result among the committed ones, and the sentence on what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.result_files import read_record
from wslbench.leaderboard import TaskBoard, render_task_table
from wslbench.leaderboard.meaning import meaning
from wslbench.leaderboard.placing import place
from wslbench.zoo import load_zoo

TASK = f"{NAME}.loss-gap"
FLOORS = ("chance", "architecture_only", "decoded_hyperparameters", "hyperparameters")


@pytest.fixture(scope="module")
def folder(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Committed: floors, a good and a bad method. Fresh: the good one, spoiled; one that failed; a stranger's."""
    folder = tmp_path_factory.mktemp("placing")
    task, zoo = tiny_tasks(folder)[TASK], load_zoo(built_tiny_zoo)
    committed, out = folder / "committed", folder / "out"
    out.mkdir()
    for noise, name in zip((9.0, 4.0, 2.0, 0.1), FLOORS, strict=True):
        commit(task, zoo, committed, name, noise)
    commit(task, zoo, committed, "good", 0.01, reversed_=True)
    commit(task, zoo, committed, "mine", 0.02)
    commit(task, zoo, committed, "slow", 0.01, failed=True)
    commit(task, zoo, committed, "stranger", 1.0)
    for name in ("good", "mine", "slow", "stranger"):  # made beside the committed floors, but not committed
        (committed / name).rename(out / name)
    commit(task, zoo, committed, "good", 0.01)
    commit(task, zoo, committed, "bad", 5.0)
    return folder


def board(folder: Path, built_tiny_zoo: Path, name: str) -> TaskBoard:
    record = read_record(folder / "out" / name / f"{TASK}.json")
    zoo = load_zoo(built_tiny_zoo)
    placed = place([record], folder / "out", tiny_tasks(folder), lambda _: zoo, committed=folder / "committed")
    (only,) = placed.boards
    return only


def test_the_fresh_result_stands_and_nothing_else_of_its_folder(folder: Path, built_tiny_zoo: Path) -> None:
    found = board(folder, built_tiny_zoo, "good")
    assert {record.method.name for record in found.records} == {*FLOORS, "good", "bad"}
    (good,) = [record for record in found.records if record.method.name == "good"]
    fresh = read_record(folder / "out" / "good" / f"{TASK}.json")
    assert good.model_dump_json() == fresh.model_dump_json()


def test_the_row_is_marked_also_without_colour(folder: Path, built_tiny_zoo: Path) -> None:
    found = board(folder, built_tiny_zoo, "mine")
    table = render_task_table(found.records, found.standings.ranks, 200, mark="mine")
    names = list(table.columns[1].cells)
    assert [name for name in names if str(name).startswith("▸")] == ["▸ mine"]


def test_a_sentence_says_what_the_interval_of_the_lift_says(folder: Path, built_tiny_zoo: Path) -> None:
    mine = board(folder, built_tiny_zoo, "mine")
    (record,) = [record for record in mine.records if record.method.name == "mine"]
    assert record.lift is not None
    assert record.lift.low is not None
    beats = meaning(mine, "mine").startswith("mine beats the best legal floor by ")
    assert beats == (record.lift.low > 0)
    assert "told load and temperature" in meaning(mine, "mine")
    spoiled = board(folder, built_tiny_zoo, "good")
    assert "good beats" not in meaning(spoiled, "good")


def test_floors_and_failures_are_not_praised(folder: Path, built_tiny_zoo: Path) -> None:
    found = board(folder, built_tiny_zoo, "mine")
    assert "is a floor" in meaning(found, "chance")
    assert "must not see" in meaning(found, "hyperparameters")
    assert meaning(board(folder, built_tiny_zoo, "slow"), "slow").startswith("slow failed on 1 of ")


def test_a_method_without_a_result_has_no_meaning(folder: Path, built_tiny_zoo: Path) -> None:
    with pytest.raises(KeyError):
        meaning(board(folder, built_tiny_zoo, "mine"), "absent")
