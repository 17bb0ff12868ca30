"""What was found to stand before is not scored again; whatever was changed since is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.floors import FLOORS
from wslbench.evaluation.predictions import hash_predictions
from wslbench.leaderboard import Results, read_results
from wslbench.leaderboard.checked_before import CheckedBefore, Known
from wslbench.leaderboard.checking import checked
from wslbench.leaderboard.rescoring import rescore
from wslbench.tasks import Task, TaskBook, load_tasks
from wslbench.zoo import Zoo, load_zoo


@pytest.fixture(scope="module")
def made(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskBook, Zoo]:
    """Floors and two methods, and a cache in which all of them are."""
    folder = tmp_path_factory.mktemp("cached")
    book, zoo = tiny_tasks(folder), load_zoo(built_tiny_zoo)
    for number, name in enumerate((*FLOORS, "good", "bad")):
        commit(book[f"{NAME}.loss-gap"], zoo, folder / "results", name, 0.1 + number)
    rescore([folder / "results"], book, lambda name: zoo, folder / "results")
    read(folder, book, zoo)
    return folder, book, zoo


def read(folder: Path, book: TaskBook, zoo: Zoo) -> Results:
    results, cache = folder / "results", folder / "cache"
    return read_results([results], book, [book[f"{NAME}.loss-gap"]], lambda name: zoo, floors=results, cache=cache)


@pytest.fixture
def place(made: tuple[Path, TaskBook, Zoo], tmp_path: Path) -> tuple[Path, TaskBook, Zoo]:
    folder, book, zoo = made
    for name in ("results", "cache"):
        shutil.copytree(folder / name, tmp_path / name)
    return tmp_path, book, zoo


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Paths of the results that are scored from now on."""
    paths: list[Path] = []

    def noted(record, path, scorer, version):
        paths.append(path)
        return checked(record, path, scorer, version)

    monkeypatch.setattr("wslbench.leaderboard.results.checked", noted)
    return paths


def test_what_stood_before_is_the_same_and_not_scored_again(place, scored: list[Path]) -> None:
    folder, book, zoo = place
    known = read(folder, book, zoo)
    assert scored == []
    shutil.rmtree(folder / "cache")
    fresh = read(folder, book, zoo)
    assert len(scored) == 6
    for one, other in zip(known.tasks[0].entries, fresh.tasks[0].entries, strict=True):
        assert one.record == other.record
        np.testing.assert_array_equal(one.draws, other.draws)
        assert one.tail == other.tail
        for mine, yours in zip(one.points, other.points, strict=True):
            np.testing.assert_array_equal(mine, yours)


def metric(path: Path) -> None:
    record = json.loads(path.read_text())
    record["metrics"]["kendall_tau"]["value"] += 1e-3
    path.write_text(json.dumps(record, indent=2) + "\n")


def one_digit(path: Path) -> None:
    """An edit that leaves the file as long as it was, and as old."""
    text, stat = path.read_text(), path.stat()
    at = text.index('"value": ', text.index('"kendall_tau"')) + len('"value": 0.')
    path.write_text(text[:at] + ("8" if text[at] != "8" else "9") + text[at + 1 :])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def predictions(path: Path) -> None:
    table = pd.read_parquet(path.with_suffix(".parquet"))
    table["prediction"] = table["target"]
    table.to_parquet(path.with_suffix(".parquet"))


def predictions_and_their_hash(path: Path) -> None:
    predictions(path)
    record = json.loads(path.read_text())
    record["provenance"]["predictions"] = hash_predictions(pd.read_parquet(path.with_suffix(".parquet")))
    path.write_text(json.dumps(record, indent=2) + "\n")


def predictions_of_another(path: Path) -> None:
    shutil.copyfile(path.parent.with_name("good") / path.with_suffix(".parquet").name, path.with_suffix(".parquet"))


def half(path: Path) -> None:
    path.with_suffix(".parquet").unlink()


def another_name(path: Path) -> None:
    """A result that stands, as it is, in another's place."""
    for suffix in (".json", ".parquet"):
        shutil.copyfile(path.parent.with_name("good") / path.with_suffix(suffix).name, path.with_suffix(suffix))


EDITS: tuple[Callable[[Path], None], ...] = (
    metric, one_digit, predictions, predictions_and_their_hash, predictions_of_another, half, another_name,
)  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edited_result_never_passes(edit: Callable[[Path], None], place, scored: list[Path]) -> None:
    folder, book, zoo = place
    path = folder / "results" / "bad" / f"{NAME}.loss-gap.json"
    edit(path)
    for _ in range(2):  # nor is it remembered as one that stands
        found = read(folder, book, zoo)
        assert [str(path) in problem for problem in found.problems] == [True]
        assert "bad" not in {entry.record.method.name for entry in found.tasks[0].entries}
    assert scored == ([path, path] if edit is not another_name else [])


def test_other_floors_score_everything_anew(place, scored: list[Path]) -> None:
    folder, book, zoo = place
    shutil.rmtree(folder / "results" / "chance")
    found = read(folder, book, zoo)
    assert len(scored) == len(found.tasks[0].entries) == 5
    assert all("chance" not in entry.record.floors for entry in found.tasks[0].entries)


def test_a_changed_task_is_not_answered_by_the_cache(place, tmp_path: Path, scored: list[Path]) -> None:
    folder, _, zoo = place
    file = tmp_path / "tasks.yaml"
    tiny_tasks(tmp_path)
    file.write_text(file.read_text().replace("target: loss-gap\n  version: 1", "target: loss-gap\n  version: 2"))
    found = read(folder, load_tasks(file), zoo)
    assert len(scored) == len(found.problems) == 6
    assert all("stale: it was made with another task" in problem for problem in found.problems)


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"no safetensors at all"])
def test_a_damaged_cache_costs_time_and_nothing_else(content: bytes, place, scored: list[Path]) -> None:
    folder, book, zoo = place
    (file,) = (folder / "cache").iterdir()
    file.write_bytes(content)
    assert read(folder, book, zoo).problems == []
    assert len(scored) == 6
    read(folder, book, zoo)
    assert len(scored) == 6


def test_what_a_cache_holds_is_bounded(place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslbench.leaderboard.checked_before.LARGEST", 8000)
    folder, book, zoo = place
    task: Task = book[f"{NAME}.loss-gap"]
    kept = CheckedBefore(folder / "small", task, [zoo], folder / "results")
    kept.put("old", Known(np.zeros(1000), 0.025, None))
    kept.save()
    later = CheckedBefore(folder / "small", task, [zoo], folder / "results")
    later.put("new", Known(np.arange(3.0), 0.025, None))
    later.save()
    last = CheckedBefore(folder / "small", task, [zoo], folder / "results")
    assert last.get("old") is None
    known = last.get("new")
    assert known is not None
    np.testing.assert_array_equal(known.draws, np.arange(3.0))
