"""What is worked out for many at once is what it is one by one."""

from __future__ import annotations

import numpy as np
import pytest

from wslbench.evaluation.bootstrap import interval
from wslbench.leaderboard.aggregate import _improvement, _interval_over_tasks
from wslbench.leaderboard.intervals import intervals, row_quantiles
from wslbench.leaderboard.standings import Standings, _ranks


@pytest.fixture
def draws() -> np.ndarray:
    """Ordinary ones, constant ones, some with gaps, some with hardly anything, one without a value."""
    random = np.random.default_rng(0)
    found = random.normal(size=(8, 1001))
    found[1] = 0.1 + 0.2
    found[2, 5:50] = np.nan
    found[3, 3:] = np.nan
    found[4, 0] = np.nan
    found[5, 7] = np.inf
    return found


@pytest.mark.parametrize("tail", [0.025, 0.003, 0.0])
def test_many_intervals_are_the_intervals_of_each(draws, tail) -> None:
    np.testing.assert_array_equal(intervals(draws, tail), [interval(row, tail) for row in draws])


def test_no_interval_is_asked_of_no_draws() -> None:
    assert intervals(np.empty((0, 11)), 0.025).shape == (0, 3)


def test_leads_over_many_are_the_leads_over_each(draws) -> None:
    found = Standings({}, None, {f"m{place}": row for place, row in enumerate(draws)})
    names = ["m2", "absent", "m0", "m1", "m3"]
    expected = [found.lead("m0", name) or (np.nan,) * 3 for name in names]
    np.testing.assert_array_equal(found.leads("m0", names), expected)
    assert np.isnan(found.leads("absent", names)).all()


def test_half_of_the_pairs_say_what_all_pairs_say() -> None:
    random = np.random.default_rng(0)
    tasks = [np.round(random.normal(size=(6, 301)), 1) for _ in range(4)]  # with equal values
    tasks[1][2] = -np.inf
    tasks[1][3] = -np.inf
    chance = np.stack([_improvement(values) for values in tasks])
    for values, found in zip(tasks, chance, strict=True):
        rows = values[:, None, 1:], values[None, :, 1:]
        plain = (rows[0] > rows[1]).mean(axis=2) + 0.5 * (rows[0] == rows[1]).mean(axis=2)
        np.testing.assert_allclose(found, plain, atol=1e-12)
    weights = np.vstack([np.ones(4), random.multinomial(4, np.full(4, 0.25), size=200)])
    shares = weights[1:] / weights[1:].sum(axis=1, keepdims=True)
    plain = np.quantile(np.einsum("dt,tij->dij", shares, chance), [0.025, 0.975], axis=0)
    np.testing.assert_allclose(_interval_over_tasks(chance, weights, 0.025), plain, atol=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.2, 3.0])
def test_ranks_found_many_at_once_are_those_found_one_by_one(spread: float) -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=40) * spread
    draws = {f"m{place:02}": value + 0.1 * random.normal(size=201) for place, value in enumerate(values)}
    draws["m07"][:] = np.nan
    names = sorted(draws, key=lambda name: (-draws[name][0] if np.isfinite(draws[name][0]) else np.inf, name))
    leader, expected = "", {}
    for place, name in enumerate(names, start=1):
        if not leader or interval(draws[leader] - draws[name], 0.025).low > 0:
            leader, expected[name] = name, place
        else:
            expected[name] = expected[leader]
    assert _ranks(draws, 0.025) == expected
    assert list(_ranks(draws, 0.025)) == names


@pytest.mark.parametrize("fractions", [[0.025, 0.975], [0.0, 1.0], [0.5, 0.1, 1 / 3]])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_quantiles_of_rows_are_numpys(count, fractions) -> None:
    rows = np.random.default_rng(count).normal(size=(9, count))
    np.testing.assert_array_equal(row_quantiles(rows, fractions), np.quantile(rows, fractions, axis=1).T)
