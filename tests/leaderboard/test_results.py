"""Reading results: what stands is shown, what does not is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.errors import ResultError, ZooNotFoundError
from wslbench.leaderboard import Results, read_results
from wslbench.leaderboard.adding import add_results
from wslbench.leaderboard.copies import tells_nothing
from wslbench.population.synthetic_zoo import synthesise_zoo
from wslbench.tasks import Task, TaskBook
from wslbench.zoo import Zoo, load_zoo


@pytest.fixture
def zoo(built_tiny_zoo: Path) -> Zoo:
    return load_zoo(built_tiny_zoo)


@pytest.fixture
def book(tmp_path: Path) -> TaskBook:
    return tiny_tasks(tmp_path)


@pytest.fixture
def task(book: TaskBook) -> Task:
    return book[f"{NAME}.loss-gap"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


def read(folders: list[Path], book: TaskBook, task: Task, zoo: Zoo) -> Results:
    return read_results(folders, book, [task], lambda name: zoo)


def names(results: Results) -> list[str]:
    return [entry.record.method.name for found in results.tasks for entry in found.entries]


def test_sound_results_are_read_with_scores_that_repeat_their_record(folder, book, task, zoo) -> None:
    commit(task, zoo, folder, "good", 0.01)
    commit(task, zoo, folder, "bad", 3.0)
    results = read([folder], book, task, zoo)
    assert names(results) == ["bad", "good"]
    assert results.problems == []
    for entry in results.tasks[0].entries:
        value = entry.record.metrics["kendall_tau"].value
        assert entry.draws[0] == pytest.approx(value)


def test_no_result_on_a_synthetic_zoo_is_shown_or_added(tmp_path: Path, folder: Path) -> None:
    zoo = synthesise_zoo(tmp_path / "zoo", 200)
    book = tiny_tasks(tmp_path, zoo.name)
    task = book[f"{zoo.name}.loss-gap"]
    commit(task, zoo, folder, "good", 0.01)
    results = read([folder], book, task, zoo)
    assert names(results) == []
    assert "synthetic-200 is synthetic" in results.problems[0]
    (refused,) = add_results([folder], tmp_path / "board", book, lambda name: zoo).refused
    assert "synthetic-200 is synthetic" in refused
    assert not (tmp_path / "board").exists()


def test_a_polished_metric_does_not_follow_from_the_predictions(folder, book, task, zoo) -> None:
    path = commit(task, zoo, folder, "polished", 3.0)
    record = json.loads(path.read_text())
    record["metrics"]["kendall_tau"]["value"] += 0.01
    path.write_text(json.dumps(record))
    results = read([folder], book, task, zoo)
    assert names(results) == []
    assert "metrics.kendall_tau.value does not follow from its predictions" in results.problems[0]
    assert str(path) in results.problems[0]


def test_nobody_verifies_their_own_result_on_a_public_zoo(folder, book, task, zoo) -> None:
    path = commit(task, zoo, folder, "trusted", 0.01)
    record = json.loads(path.read_text()) | {"tier": "verified"}
    path.write_text(json.dumps(record))
    results = read([folder], book, task, zoo)
    assert names(results) == []
    assert "says that it was verified" in results.problems[0]


def test_targets_come_from_the_zoo_and_not_from_the_predictions_file(folder, book, task, zoo) -> None:
    path = commit(task, zoo, folder, "doctored", 3.0)
    parquet = path.with_suffix(".parquet")
    frame = pd.read_parquet(parquet)
    frame.assign(target=frame["prediction"]).to_parquet(parquet)
    assert "not those that the record was made from" in read([folder], book, task, zoo).problems[0]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("task", "0" * 64, "stale: it was made with another task"),
        ("annotations", "0" * 64, "stale: it was made with another annotations"),
    ],
)
def test_stale_results_are_named(folder, book, task, zoo, field, value, expected) -> None:
    path = commit(task, zoo, folder, "old", 1.0)
    record = json.loads(path.read_text())
    record["provenance"][field] = value
    path.write_text(json.dumps(record))
    results = read([folder], book, task, zoo)
    assert names(results) == []
    assert expected in results.problems[0]


def test_broken_missing_misplaced_and_unknown_results_are_named(folder, book, task, zoo) -> None:
    commit(task, zoo, folder, "good", 0.1)
    broken = commit(task, zoo, folder, "broken", 0.1)
    broken.write_text(broken.read_text()[:100])
    commit(task, zoo, folder, "alone", 0.1).with_suffix(".parquet").unlink()
    shutil.copytree(folder / "good", folder / "copied")
    unknown = folder / "good" / f"{NAME}.beauty.json"
    unknown.write_text("{}")
    results = read([folder], book, task, zoo)
    assert names(results) == ["good"]
    problems = "\n".join(results.problems)
    assert len(results.problems) == 4
    for text in ("broken", "are missing", "not of its file's name", f"no task '{NAME}.beauty'"):
        assert text in problems


def test_a_result_in_an_earlier_folder_stands_in_for_a_later_one(tmp_path, book, task, zoo) -> None:
    first, second = tmp_path / "mine", tmp_path / "committed"
    commit(task, zoo, first, "method", 0.01)
    commit(task, zoo, second, "method", 3.0)
    commit(task, zoo, second, "other", 1.0)
    results = read([first, second], book, task, zoo)
    assert names(results) == ["method", "other"]
    assert results.tasks[0].entries[0].record.metrics["kendall_tau"].value > 0.7


def test_a_zoo_that_is_not_there_leaves_results_unchecked_and_named(folder, book, task, zoo) -> None:
    commit(task, zoo, folder, "good", 0.1)

    def absent(name: str) -> Zoo:
        raise ZooNotFoundError(f"there is no zoo {name!r}")

    results = read_results([folder], book, [task], absent)
    assert names(results) == []
    assert "cannot be checked: there is no zoo" in results.problems[0]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path, book, task, zoo) -> None:
    with pytest.raises(ResultError, match="no results folder"):
        read([tmp_path / "nowhere"], book, task, zoo)


def test_a_copy_under_another_name_is_named_and_both_are_shown(folder, book, task, zoo) -> None:
    for name in ("one", "twin", "third"):
        commit(task, zoo, folder, name, 0.5)
    commit(task, zoo, folder, "other", 0.6)
    results = read([folder], book, task, zoo)
    assert names(results) == ["one", "other", "third", "twin"]
    assert results.problems == []
    assert results.notes == [f"{task.id}: one, third and twin have the same predictions: one result under 3 names."]


def test_methods_that_know_nothing_may_agree_and_so_may_floors(folder, book, task, zoo) -> None:
    for name in ("chance", "blind"):
        commit(task, zoo, folder, name, 0.5, constant=True)
    for name in ("hyperparameters", "decoded_hyperparameters"):
        commit(task, zoo, folder, name, 0.1)

    def same() -> list[str]:
        return [note for note in read([folder], book, task, zoo).notes if "same predictions" in note]

    assert same() == []
    commit(task, zoo, folder, "spy", 0.1)
    (note,) = same()
    assert "decoded_hyperparameters, hyperparameters and spy have the same predictions" in note


def answers(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"seed": [0, 0, 0, 1, 1, 1], "fold": [0, 0, 1, 0, 0, 1], **columns})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (answers(prediction=[1.0, 1.0, 2.0, 3.0, 3.0, 2.0]), True),
        (answers(prediction=[1.0, 1.1, 2.0, 3.0, 3.0, 2.0]), False),
        (answers(prediction=[1.0, 1.0, 2.0, 3.0, float("nan"), 2.0]), False),
        (answers(**{"p:I": [0.5] * 6, "p:II": [0.5] * 6}), True),
        (answers(**{"p:I": [0.5] * 6, "p:II": [0.5, 0.4, *[0.5] * 4]}), False),
        (pd.DataFrame({"seed": [0], "network": [1], "accuracy": [0.5]}), False),
        (pd.DataFrame({"seed": [], "network": [], "accuracy": []}), True),
    ],
)
def test_answers_that_are_alike_for_all_models_of_a_fold_tell_nothing(table: pd.DataFrame, expected: bool) -> None:
    assert tells_nothing(table) == expected


def test_files_at_no_place_for_a_result_are_named_wherever_they_are(folder, book, task, zoo) -> None:
    commit(task, zoo, folder, "good", 0.1)
    strays = [
        "stray.json",
        "stray.parquet",
        f"good/{NAME}.phase.parquet",
        f"good/again/{task.id}.json",
        f"good/audit/{NAME}.phase.json",
        f"good/audit/{task.id}.parquet",
        f"nested/deeper/good/{task.id}.json",
        f"nested/deeper/good/{task.id}.parquet",
    ]
    silent = ["README.md", ".hidden.json", "good/.journal/unit.json", "good/predicted.png", f"good/.{task.id}.json"]
    for name in (*strays, *silent):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    results = read([folder], book, task, zoo)
    assert names(results) == ["good"]
    assert sorted(line.split(": ")[0] for line in results.problems) == sorted(str(folder / name) for name in strays)
    said = dict(line.split(": ", 1) for line in results.problems)
    assert said[str(folder / strays[2])] == "there is no record beside these predictions."
    assert said[str(folder / strays[4])] == "there is no result that this audit is of."
    assert "METHOD/TASK.json" in said[str(folder / strays[0])]


def test_what_is_scored_anew_is_shown_and_named(folder, book, task, zoo) -> None:
    commit(task, zoo, folder, "before_floors", 0.3)
    for noise, name in enumerate(("chance", "architecture_only", "decoded_hyperparameters")):
        commit(task, zoo, folder, name, 9.0 - noise)
    older = commit(task, zoo, folder, "older", 0.2)
    commit(task, zoo, folder, "current", 0.1)
    record = json.loads(older.read_text())
    record["provenance"]["scoring"] = 1
    record["metrics"]["kendall_tau"]["value"] = 0.99
    older.write_text(json.dumps(record))
    results = read_results([folder], book, [task], lambda name: zoo, floors=folder)
    assert results.problems == []
    entries = {entry.record.method.name: entry for entry in results.tasks[0].entries}
    assert entries["older"].record.metrics["kendall_tau"].value == entries["older"].draws[0] != 0.99
    assert (entries["older"].anew, entries["before_floors"].anew, entries["current"].anew) == ("rules", "floors", None)
    rules, floors = results.notes
    assert rules.startswith(f"{task.id}: scored anew by the rules of today")
    assert rules.endswith(": older.")
    assert floors.startswith(f"{task.id}: scored anew beside the floors of today")
    assert "before_floors" in floors
    assert "current" not in floors
