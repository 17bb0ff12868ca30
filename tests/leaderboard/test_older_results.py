"""Results of an older schema stay readable: one that was written under schema 1, kept as it was committed then.

``schema_1/`` holds the record and the predictions of ``weight_statistics`` as the repository had them under the first
rules of scoring. These took plain percentiles as the ends of intervals; the values between were always what they are.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import wslbench
from tests.evaluation.synthetic import outcomes
from wslbench.bundled import bundled_path
from wslbench.errors import ResultError
from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.predictions import read_predictions
from wslbench.evaluation.record import SCORING_VERSION, build_record
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard import read_results
from wslbench.leaderboard.rescoring import rescore
from wslbench.tasks import Problem, load_tasks, prepare

TASK = "convection-pinn.phase@new-load"
FROZEN = Path(__file__).parent / "schema_1" / "weight_statistics" / f"{TASK}.json"
BOOK = load_tasks()


@pytest.fixture(scope="module")
def problem() -> Problem:
    return prepare(BOOK[TASK], wslbench.load_zoo(BOOK[TASK].zoo))


@pytest.fixture
def older(tmp_path: Path, problem: Problem) -> Path:
    """The frozen result, said to be of the task as it is today: it shall outlive the task's next change."""
    path = tmp_path / FROZEN.parent.name / FROZEN.name
    path.parent.mkdir()
    shutil.copyfile(FROZEN.with_suffix(".parquet"), path.with_suffix(".parquet"))
    record = content(FROZEN)
    record["provenance"] |= problem.hashes._asdict()
    path.write_text(json.dumps(record, indent=2))
    return path


@pytest.fixture(scope="module")
def of_today(problem: Problem) -> ResultRecord:
    """What an evaluation would write today that got the frozen predictions."""
    answers = read_predictions(FROZEN.with_suffix(".parquet"))
    answers = answers[["seed", "fold", "model_id", "failed", *(f"p:{phase}" for phase in problem.classes)]]
    units = outcomes(problem, (0, 1, 2))
    return build_record(problem, answers, read_record(FROZEN).method, units, committed_floors(problem))


def content(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def values(estimates: dict[str, Any]) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in estimates.items()}


def test_a_record_of_schema_1_reads_and_says_all_that_it_said() -> None:
    said, record = content(FROZEN), read_record(FROZEN)
    assert (said["schema_version"], record.schema_version) == (1, 2)
    assert said["provenance"]["evaluator"] == "wslbench 0.1.0, scoring 1"
    assert (record.provenance.evaluator, record.provenance.scoring) == ("wslbench 0.1.0", 1)
    now = record.model_dump(mode="json")
    for place in (said, now):
        place.pop("schema_version")
        for field in ("evaluator", "scoring"):
            place["provenance"].pop(field, None)
    assert now == said


def test_on_the_board_it_stands_with_the_numbers_that_its_predictions_get_today(
    older: Path, of_today: ResultRecord
) -> None:
    found = read_results([older.parent.parent], BOOK, [BOOK[TASK]], wslbench.load_zoo)
    assert found.problems == []
    (entry,) = found.tasks[0].entries
    for field in ("metrics", "per_phase", "per_fold", "worst_phase", "confusion", "floors", "ceilings", "lift"):
        assert getattr(entry.record, field) == getattr(of_today, field), field
    assert entry.record.provenance.scoring == SCORING_VERSION


def test_of_its_own_numbers_only_the_ends_of_intervals_are_others(of_today: ResultRecord) -> None:
    said, now = content(FROZEN), of_today.model_dump(mode="json")
    assert values(now["metrics"]) == pytest.approx(values(said["metrics"]), nan_ok=True)
    for phase, estimates in said["per_phase"].items():
        assert values(now["per_phase"][phase]) == pytest.approx(values(estimates))
    assert now["confusion"] == said["confusion"]
    assert now["worst_phase"]["phase"] == said["worst_phase"]["phase"]
    headline = said["task"]["headline"]
    assert now["metrics"][headline]["low"] < said["metrics"][headline]["low"]
    assert now["metrics"][headline]["high"] > said["metrics"][headline]["high"]


def test_rescoring_writes_it_in_the_present_schema_and_leaves_the_rest(older: Path, of_today: ResultRecord) -> None:
    before, predictions = read_record(older), older.with_suffix(".parquet").read_bytes()
    floors = bundled_path("results")
    assert rescore([older.parent.parent], BOOK, wslbench.load_zoo, floors).written == [older]
    assert older.with_suffix(".parquet").read_bytes() == predictions
    after = read_record(older)
    assert content(older)["schema_version"] == 2
    assert after.metrics == of_today.metrics
    kept = ("method", "tier", "created", "seeds", "units", "cost", "environment", "warnings")
    assert {name: getattr(after, name) for name in kept} == {name: getattr(before, name) for name in kept}
    assert rescore([older.parent.parent], BOOK, wslbench.load_zoo, floors).current == [older]


@pytest.mark.parametrize("version", [3, 0, -1, "2", "1", 1.5, True, None])
def test_a_schema_that_never_was_is_refused_by_name(version: object, older: Path) -> None:
    older.write_text(json.dumps(content(older) | {"schema_version": version}))
    with pytest.raises(ResultError, match=rf"{older.name} is not a record of this version: schema_version: "):
        read_record(older)
    found = read_results([older.parent.parent], BOOK, [BOOK[TASK]], wslbench.load_zoo)
    assert [str(older) in problem and "schema_version" in problem for problem in found.problems] == [True]
    (problem,) = rescore([older.parent.parent], BOOK, wslbench.load_zoo, bundled_path("results")).problems
    assert "schema_version" in problem


@pytest.mark.parametrize("evaluator", ["wslbench 0.1.0", "scoring", 7, None])
def test_schema_1_without_the_version_of_its_scoring_is_refused(evaluator: object, older: Path) -> None:
    record = content(older)
    record["provenance"]["evaluator"] = evaluator
    older.write_text(json.dumps(record))
    with pytest.raises(ResultError, match="not a record of this version"):
        read_record(older)


def test_a_metric_of_an_older_record_is_never_shown_as_it_stands(older: Path, of_today: ResultRecord) -> None:
    record = content(older)
    record["metrics"]["balanced_accuracy"]["value"] = 0.99
    older.write_text(json.dumps(record))
    found = read_results([older.parent.parent], BOOK, [BOOK[TASK]], wslbench.load_zoo)
    assert [entry.record.metrics for entry in found.tasks[0].entries] == [of_today.metrics]
