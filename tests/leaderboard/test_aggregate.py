"""Ranks and chances across tasks, against closed forms and hand-worked cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from wslbench.evaluation.bootstrap import expanded_tail
from wslbench.leaderboard.across import across
from wslbench.leaderboard.aggregate import aggregate, aggregates
from wslbench.leaderboard.board import Board

RESAMPLES = 1000


def board(
    target: str,
    draws: Mapping[str, Any],
    protocol: str = "",
    failed: Sequence[str] = (),
    kind: str = "accuracy_prediction",
) -> Any:
    """A task's board as far as the aggregate reads one; a plain number does not vary with the held-out units."""
    task = SimpleNamespace(id=f"zoo.{target}{protocol}", zoo="zoo", target=target, headline="kendall_tau", kind=kind)
    entries = [
        SimpleNamespace(
            record=SimpleNamespace(
                method=SimpleNamespace(name=name, privilege="hyperparameters" if name == "hyperparameters" else "none"),
                status="timeout" if name in failed else "ok",
            ),
            draws=np.broadcast_to(np.asarray(values, dtype=np.float64), (1 + RESAMPLES,)),
        )
        for name, values in draws.items()
    ]
    return SimpleNamespace(task=task, entries=entries)


def test_improvement_has_the_closed_form_of_two_normal_scores():
    random = np.random.default_rng(0)
    lead, spread = 0.03, 0.04
    boards = [
        board(
            target,
            {
                "one": 0.5 + lead + spread * random.normal(size=1 + RESAMPLES),
                "other": 0.5 + spread * random.normal(size=1 + RESAMPLES),
            },
        )
        for target in "abcdefgh"
    ]
    found = aggregate(boards)
    expected = stats.norm.cdf(lead / (spread * np.sqrt(2)))
    assert found.improves("one", "other").value == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 8 / RESAMPLES))
    assert found.improves("other", "one").value == pytest.approx(1 - found.improves("one", "other").value)


def test_scores_that_move_together_are_compared_together():
    """One is ahead by a hair on every resample: with other resamples for each method, nobody could tell."""
    noise = np.random.default_rng(0).normal(size=1 + RESAMPLES)
    found = aggregate([board(target, {"one": noise + 0.001, "other": noise}) for target in "ab"])
    assert found.improves("one", "other") == (1, 1, 1)
    assert found.mean_rank["one"] == (1, 1, 1)


def test_nothing_tells_equals_apart():
    found = aggregate([board(target, {"one": 0.5, "other": 0.5}) for target in "ab"])
    assert found.improves("one", "other") == (0.5, 0.5, 0.5)
    assert found.mean_rank["one"].value == found.mean_rank["other"].value == 1.5


def test_who_wins_two_of_three_targets_is_first_20_times_in_27():
    """Of three targets drawn with replacement, the number on which it wins is binomial (3, 2/3)."""
    won, lost = {"one": 0.9, "other": 0.1}, {"one": 0.1, "other": 0.9}
    found = aggregate([board("a", won), board("b", won), board("c", lost)])
    error = 4 * np.sqrt(20 / 27 * 7 / 27 / RESAMPLES)
    assert found.methods == ("one", "other")
    assert found.mean_rank["one"] == pytest.approx((4 / 3, 4 / 3, 4 / 3))
    assert found.first["one"] == pytest.approx(20 / 27, abs=error)
    assert found.stability == pytest.approx(20 / 27 - 7 / 27, abs=2 * error)
    tail = expanded_tail(3)
    wins = stats.binom.ppf([1 - tail, tail], 3, 2 / 3)
    assert found.mean_rank_over_tasks["one"] == pytest.approx((4 / 3, *(2 - wins / 3)))


def test_protocols_of_one_target_are_drawn_together():
    """They share networks and answers: two protocols are not two questions."""
    won, lost = {"one": 0.9, "other": 0.1}, {"one": 0.1, "other": 0.9}
    found = aggregate([board("a", won), board("a", won, "@new-load"), board("c", lost)])
    assert found.targets == ("zoo.a", "zoo.c")
    # Of two targets: both times the one (1/4), both times the other (1/4), or each once: it wins two of three tasks.
    assert found.first["one"] == pytest.approx(3 / 4, abs=4 * np.sqrt(3 / 16 / RESAMPLES))


def test_a_failure_ranks_last_and_a_missing_result_takes_no_part():
    boards = [
        board("a", {"good": 0.9, "poor": 0.2, "broken": 0.95, "rare": 0.99}, failed=["broken"]),
        board("b", {"good": 0.9, "poor": 0.2, "broken": 0.95}, failed=["broken"]),
    ]
    found = aggregate(boards)
    assert found.methods == ("good", "poor", "broken")
    assert [found.mean_rank[name].value for name in found.methods] == [1, 2, 3]
    assert found.partial == {"rare": 1}


def test_the_oracle_and_floors_have_ranks_but_do_not_compete():
    boards = [board(target, {"mine": 0.5, "hyperparameters": 0.9, "chance": 0.0}) for target in "ab"]
    found = aggregate(boards)
    assert found.methods == ("hyperparameters", "mine", "chance")
    assert found.contenders == ("mine",)
    assert found.first == {"mine": 1.0}


def test_generators_and_predictors_are_not_put_together():
    predicted = [board(target, {"one": 0.6, "other": 0.5}) for target in "ab"]
    generated = [board(target, {"sampler": 0.6, "noise": 0.5}, kind="weight_generation") for target in "cd"]
    np.testing.assert_equal(asdict(aggregate([*predicted, *generated])), asdict(aggregate(predicted)))
    assert set(aggregate(generated).methods) == {"sampler", "noise"}


def test_suites_that_share_tasks_say_what_each_says_alone():
    boards = [board(name, {"one": value, "other": 0.5, "mine": 0.4}) for name, value in (("a", 0.6), ("b", 0.3))]
    boards.append(board("c", {"one": 0.7, "mine": 0.9}))
    ids = [each.task.id for each in boards]
    whole = Board(boards, {"some": ids[:2], "all": ids, "last": ids[2:]})
    found = aggregates(whole)
    assert found["last"] is None
    for name, members in (("some", boards[:2]), ("all", boards)):
        np.testing.assert_equal(asdict(found[name]), asdict(aggregate(members)))
    assert sorted(found["all"].methods) == ["mine", "one"]


def test_one_task_or_one_method_is_no_aggregate():
    assert aggregate([board("a", {"one": 0.5, "other": 0.6})]) is None
    assert aggregate([board("a", {"one": 0.5}), board("b", {"one": 0.5})]) is None
    assert across(aggregate([board("a", {"one": 0.5, "other": 0.6})])) == []


def test_the_section_shows_the_numbers_of_the_aggregate():
    won, lost = {"one": 0.9, "other": 0.1, "rare": 0.5}, {"one": 0.1, "other": 0.9}
    boards = [board("a", won), board("b", won), board("c", lost)]
    found = aggregate(boards)
    _, what, _, ranks, _, chances = across(aggregate(boards))
    assert what.startswith("3 tasks of 3 targets.")
    assert f"τ of {found.stability:.2f}" in what
    assert "rare (2)" in what
    low, high = found.mean_rank_over_tasks["one"][1:]
    first = f"{100 * found.first['one']:.0f} %"
    assert f"| one | 1.3 | [1.3, 1.3] | [{low:.1f}, {high:.1f}] | {first} |" in ranks
    assert "| one | – | .67 [" in chances


@pytest.mark.slow
@pytest.mark.parametrize(
    ("targets", "tasks_differ_by", "units_add"), [(6, 0.1, 0.03), (12, 0.1, 0.03), (12, 0.03, 0.1)]
)
def test_intervals_of_mean_ranks_hold_the_mean_rank_at_least_as_often_as_they_say(targets, tasks_differ_by, units_add):
    """Targets drawn from an endless supply, scores on each from endless units; the estimand is the mean over draws."""
    qualities, repetitions = np.array([0.8, 0.77, 0.74, 0.6, 0.5]), 100
    random = np.random.default_rng(0)
    found = []
    for _ in range(repetitions):
        boards = []
        for target in range(targets):
            seen = qualities + random.normal(size=(2, 5)).T @ [tasks_differ_by, units_add]
            noise = units_add * random.normal(size=(5, RESAMPLES))
            draws = np.hstack([seen[:, None], seen[:, None] + noise])
            boards.append(board(f"target-{target}", dict(zip("abcde", draws, strict=True))))
        told = aggregate(boards)
        found.append([told.mean_rank_over_tasks[name] for name in "abcde"])
    value, low, high = np.moveaxis(np.array(found), 2, 0)
    held = ((low <= value.mean(axis=0)) & (value.mean(axis=0) <= high)).mean(axis=0)
    assert (held >= 0.93).all()  # they are wide: units vary within each resample, and between the tasks that it draws
