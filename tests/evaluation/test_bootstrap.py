"""The resamples: whole units, within phases, the same for every method; intervals with known coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.synthetic import make_problem
from wslbench.evaluation.bootstrap import draw_resamples, expanded_tail, interval
from wslbench.tasks import problem_from_table


def test_the_first_row_is_the_task_itself_and_seeds_of_a_cell_are_drawn_together() -> None:
    problem = make_problem()
    resamples = draw_resamples(problem, 50)
    assert resamples.weights.shape == (51, 40)
    assert (resamples.weights[0] == 1).all()
    for position, row in enumerate(problem.table.itertuples()):
        assert resamples.units[resamples.unit[position]] == row.cell_id


def test_cells_are_drawn_within_their_phase() -> None:
    problem = make_problem()
    resamples = draw_resamples(problem, 50)
    phase_of = dict(zip(problem.table["cell_id"], problem.table["phase"], strict=True))
    for phase in set(phase_of.values()):
        members = np.array([phase_of[unit] == phase for unit in resamples.units])
        assert (resamples.weights[:, members].sum(axis=1) == members.sum()).all()
    assert resamples.weights[1:].max() > 1


@pytest.mark.parametrize("known", [(), ("I",)])
def test_cells_without_a_phase_are_drawn_for_one_another(known: tuple[str, ...]) -> None:
    problem = make_problem()
    phase = problem.table["phase"].where(problem.table["phase"].isin(known))
    resamples = draw_resamples(replace(problem, table=problem.table.assign(phase=phase)))
    _, first = np.unique(resamples.unit, return_index=True)
    has_one = phase.notna().to_numpy()[first]
    drawn_with_one = resamples.weights[:, has_one].sum(axis=1)
    assert (drawn_with_one == has_one.sum()).all()
    assert (resamples.weights.sum(axis=1) == len(has_one)).all()
    assert resamples.weights[1:, ~has_one].std() > 0
    assert resamples.tail == expanded_tail(len(has_one), strata=1 + len(known))


def test_where_a_load_is_held_out_loads_are_drawn() -> None:
    problem = make_problem(unit="width")
    resamples = draw_resamples(problem, 200)
    assert sorted(resamples.units) == [str(load) for load in range(10)]
    assert (resamples.weights.sum(axis=1) == 10).all()
    assert resamples.weights[1:].mean(axis=0) == pytest.approx(np.ones(10), abs=0.25)


def test_resamples_follow_task_and_split_alone() -> None:
    problem = make_problem()
    shuffled = problem_from_table(
        problem.task, problem.table.sample(frac=1, random_state=0), problem.unit, problem.hashes, problem.transform
    )
    reference = draw_resamples(problem, 20)
    assert np.array_equal(draw_resamples(shuffled, 20).weights, reference.weights)
    other_method_world = replace(problem, hashes=problem.hashes._replace(weights="x"))
    assert np.array_equal(draw_resamples(other_method_world, 20).weights, reference.weights)
    other_split = replace(problem, hashes=problem.hashes._replace(split="x"))
    assert not np.array_equal(draw_resamples(other_split, 20).weights, reference.weights)


def test_cells_are_counted_as_often_as_they_are_drawn() -> None:
    problem = make_problem(unit="width")
    resamples = draw_resamples(problem, 20)
    rows = np.flatnonzero(problem.table["fold"].to_numpy() == problem.folds[0])
    counts = resamples.cells(rows)
    for draw in range(21):
        expected = {
            (row.cell_id, resamples.weights[draw, resamples.unit[position]])
            for position, row in enumerate(problem.table.itertuples())
            if position in rows
        }
        assert counts[draw] == sum(times for _, times in expected)


def test_an_interval_is_the_percentiles_of_the_resamples_around_the_value() -> None:
    draws = np.concatenate([[0.4], np.arange(1001) / 1000])
    assert interval(draws) == pytest.approx((0.4, 0.025, 0.975))


def test_undefined_resamples_are_left_out_and_most_of_them_undefined_is_no_interval() -> None:
    few = np.concatenate([[0.5], np.full(10, np.nan), np.full(90, 0.5)])
    assert interval(few) == (0.5, 0.5, 0.5)
    many = np.concatenate([[0.5], np.full(60, np.nan), np.full(40, 0.5)])
    assert interval(many).value == 0.5
    assert np.isnan(interval(many).low)
    assert np.isnan(interval(many).high)


def test_a_mean_over_cells_has_the_textbook_standard_error() -> None:
    """Against the analytic error of a stratified mean: cells independent, seeds of a cell identical."""
    problem = make_problem(noise=0.0)
    resamples = draw_resamples(problem, 4000)
    value = problem.table.groupby("cell_id")["natural_target"].first().loc[list(resamples.units)].to_numpy()
    phase = problem.table.groupby("cell_id")["phase"].first().loc[list(resamples.units)].to_numpy(dtype=object)
    variance = sum((phase == p).sum() * value[phase == p].var() for p in set(phase)) / len(value) ** 2
    means = resamples.weights[1:] @ value / len(value)
    assert means.std() == pytest.approx(np.sqrt(variance), rel=0.05)
