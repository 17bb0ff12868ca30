"""``wslbench leaderboard compare``, ``verify`` and ``rescore``: what they say, what they write, how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.cli.conftest import OTHER_TASK, TASK, Desk, contents
from tests.cli.test_leaderboard_add import better_predictions, edited
from wslbench.evaluation.predictions import read_predictions
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.scoring import score
from wslbench.tasks import prepare


def headline(desk: Desk, method: str) -> float:
    value = read_record(desk.board / method / f"{TASK}.json").metrics["kendall_tau"].value
    assert value is not None
    return value


def compared(desk: Desk, *arguments: str | Path) -> dict[str, Any]:
    said = desk.run("compare", *arguments, "--json")
    assert (said.code, said.err) == (0, "")
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_compare_says_by_how_much_one_is_better_paired_on_the_same_resamples(desk: Desk) -> None:
    found = compared(desk, "good", "bad")
    (duel,) = found["tasks"]
    assert (found["one"], found["other"], duel["task"], duel["metric"]) == ("good", "bad", TASK, "kendall_tau")
    assert duel["values"] == [headline(desk, "good"), headline(desk, "bad")]
    problem = prepare(desk.book[TASK], desk.zoo)
    draws = [
        score(problem, read_predictions(desk.board / name / f"{TASK}.parquet")).draws("kendall_tau")
        for name in ("good", "bad")
    ]
    difference = draws[0] - draws[1]
    free = 10 - 5  # cells, in strata of five phases
    tail = stats.norm.cdf(np.sqrt(10 / free) * stats.t.ppf(0.025, free))
    low, high = np.quantile(difference[1:], [tail, 1 - tail])
    assert duel["lead"] == pytest.approx([difference[0], low, high])
    assert duel["verdict"] == ("better" if low > 0 else "tie")
    assert found["improvement"] is None  # over one task there is nothing to say


def test_compare_the_other_way_round_is_the_same_with_signs_changed(desk: Desk) -> None:
    (one,), (other,) = compared(desk, "good", "bad")["tasks"], compared(desk, "bad", "good")["tasks"]
    assert other["values"] == one["values"][::-1]
    value, low, high = one["lead"]
    assert other["lead"] == pytest.approx([-value, -high, -low])
    assert {one["verdict"], other["verdict"]} == {"better", "worse"}


def test_compare_calls_a_failure_by_its_name(desk: Desk) -> None:
    (duel,) = compared(desk, "good", "slow")["tasks"]
    assert (duel["lead"], duel["verdict"]) == (None, "failed")


def test_compare_shows_your_own_results_beside_the_committed_ones(desk: Desk) -> None:
    said = desk.run("compare", "mine", "good", "--results", desk.submitted)
    assert said.code == 0
    line = next(line for line in said.out.splitlines() if line.startswith(TASK))
    assert f"{headline(desk, 'good'):.3f}" in line
    assert "mine is better on" in said.out


def test_compare_without_results_or_common_tasks_is_an_error(desk: Desk) -> None:
    said = desk.run("compare", "good", "absent")
    assert (said.code, said.out) == (2, "")
    assert "There is no result of 'absent' here; there are results of architecture_only, bad, chance" in said.err
    said = desk.run("compare", "good", "lone")
    assert (said.code, said.err) == (2, "error: good and lone have no task in common.\n")
    assert desk.run("compare", "good", "bad", "--task", OTHER_TASK).code == 2


def test_verify_counts_what_stands_and_leaves_with_1_for_what_does_not(desk: Desk) -> None:
    said = desk.run("verify")
    assert (said.code, said.out) == (0, "8 results stand, 0 do not.\n")
    edited(metrics__kendall_tau__value=0.99)(desk.board / "bad" / f"{TASK}.json")
    (desk.board / "good" / f"{TASK}.parquet").unlink()
    said = desk.run("verify", desk.board)
    assert said.code == 1
    assert said.out.endswith("6 results stand, 2 do not.\n")
    for text in (f"bad/{TASK}.json: the record does not agree with itself", f"good/{TASK}.json: The predictions"):
        assert text in said.out
    assert desk.run("verify", desk.board, "--task", OTHER_TASK).code == 0
    assert desk.run("verify", desk.board / "nowhere").code == 2


def test_verify_takes_nothing_from_the_cache(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.run("compare", "good", "bad").code == 0  # fills it

    def forgotten(*_: object) -> None:
        raise AssertionError("scored again")

    monkeypatch.setattr("wslbench.leaderboard.results.checked", forgotten)
    assert desk.run("compare", "good", "bad").code == 0
    with pytest.raises(AssertionError, match="scored again"):
        desk.run("verify")


def test_rescore_writes_records_of_older_rules_or_other_floors_anew_and_no_others(desk: Desk) -> None:
    whole = contents(desk.board)
    edited(provenance__scoring=1, metrics__kendall_tau__low=0.0)(desk.board / "good" / f"{TASK}.json")
    edited(provenance__floors={}, lift=None)(desk.board / "bad" / f"{TASK}.json")
    said = desk.run("rescore", desk.board)
    assert (said.code, said.out) == (0, "2 records written anew, 6 were current, 0 left alone.\n")
    assert contents(desk.board) == whole
    assert desk.run("rescore", desk.board).out == "0 records written anew, 8 were current, 0 left alone.\n"


def test_rescore_may_be_told_the_floors(desk: Desk, tmp_path: Path) -> None:
    floors = tmp_path / "floors"
    shutil.copytree(desk.board, floors)
    shutil.rmtree(floors / "chance")
    path = desk.submitted / "mine" / f"{TASK}.json"
    assert desk.run("rescore", desk.submitted, "--floors", floors).code == 0
    assert "chance" not in read_record(path).floors
    assert read_record(path).lift is None
    assert desk.run("rescore", desk.submitted).out.startswith("1 records written anew")
    assert desk.run("add", desk.submitted).code == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edited(provenance__scoring=99), "update wslbench"),
        (edited(provenance__split="0" * 64), "stale"),
        (edited(metrics__kendall_tau__value=0.99), "does not follow from its predictions"),
        (better_predictions, "not those that the record was made from"),
        (lambda path: path.write_text("{"), "not a record"),
    ],
)
def test_rescore_leaves_alone_what_does_not_stand_and_ends_with_1(change, expected: str, desk: Desk) -> None:
    path = desk.submitted / "mine" / f"{TASK}.json"
    change(path)
    before = contents(desk.submitted)
    said = desk.run("rescore", desk.submitted)
    assert said.code == 1
    assert said.out.endswith("0 records written anew, 0 were current, 1 left alone.\n")
    assert f"- {path}: " in said.out
    assert expected in said.out
    assert contents(desk.submitted) == before
