"""Ranks in groups of ties, from paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.synthetic import guesses, make_problem, method, outcomes, predictions
from wslbench.evaluation.bootstrap import interval
from wslbench.evaluation.floors import Floors
from wslbench.evaluation.record import build_record
from wslbench.evaluation.scoring import score
from wslbench.leaderboard import standings
from wslbench.leaderboard.checking import Entry
from wslbench.tasks import Problem


def entry(problem: Problem, name: str, values: np.ndarray, **changes) -> Entry:
    answer = predictions(problem, values)
    record = build_record(problem, answer, method(name), outcomes(problem), Floors({}, []))
    scores = score(problem, answer)
    return Entry(record.model_copy(update=changes), scores.draws(record.task.headline), scores.tail)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return make_problem(cells=80)


def test_what_cannot_be_told_apart_shares_a_rank(problem: Problem) -> None:
    close = guesses(problem, 0.02, seed=1)
    entries = [
        entry(problem, "poor", guesses(problem, 2.0, seed=3)),
        entry(problem, "first", close),
        entry(problem, "twin", close + 1e-9 * np.arange(len(close))),
        entry(problem, "poorer", guesses(problem, 2.0, seed=4)),
    ]
    ranks = standings(entries).ranks
    assert ranks["first"] == ranks["twin"] == 1
    assert {ranks["poor"], ranks["poorer"]} == {3}


def test_pairing_tells_apart_what_separate_intervals_would_not(problem: Problem) -> None:
    """The same errors, a little larger: intervals overlap, the paired difference does not hold 0."""
    target = problem.table["target"].to_numpy(dtype=float)
    errors = guesses(problem, 0.5) - target
    entries = [entry(problem, name, target + size * errors) for name, size in (("better", 1.0), ("worse", 1.3))]
    one, other = (interval(e.draws, e.tail) for e in entries)
    assert other.high > one.low
    assert standings(entries).ranks == {"better": 1, "worse": 2}


def test_floors_oracles_and_failures_are_not_ranked(problem: Problem) -> None:
    values = guesses(problem, 0.1)
    oracle = method("clever").model_copy(update={"privilege": "hyperparameters"})
    entries = [
        entry(problem, "chance", values),
        entry(problem, "clever", values, method=oracle),
        entry(problem, "crash", values, status="crashed"),
        entry(problem, "mine", guesses(problem, 2.0)),
    ]
    assert standings(entries).ranks == {"mine": 1}


def test_the_resolvable_difference_is_the_half_width_of_the_paired_interval(problem: Problem) -> None:
    entries = [entry(problem, "a", guesses(problem, 0.3)), entry(problem, "b", guesses(problem, 0.6, seed=2))]
    difference = interval(entries[0].draws - entries[1].draws, entries[0].tail)
    assert standings(entries).resolvable == pytest.approx((difference.high - difference.low) / 2)
    assert standings(entries[:1]).resolvable is None
    assert standings([]).ranks == {}
