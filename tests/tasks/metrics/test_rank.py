"""Rank correlations against scipy, on weights as on copies, and the conventions that must not flatter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wslbench.tasks.metrics import pair_sums, rank

ONE_UNIT_EACH = np.arange(40)


@pytest.fixture(autouse=True, params=["all pairs", "sums of tiles"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few models go through all pairs and many do not; everything here has to hold of both ways."""
    if request.param == "sums of tiles":
        monkeypatch.setattr(rank, "_MANY", 0)
        monkeypatch.setattr(pair_sums, "_TILE", 4)
        monkeypatch.setattr(pair_sums, "_BLOCK_VALUES", 100)
        monkeypatch.setattr(rank, "_RANKED", 100)


def sample(seed: int, levels: int | None, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth, prediction = random.normal(size=size), random.normal(size=size)
    prediction += truth
    if levels:
        truth, prediction = np.round(truth * levels), np.round(prediction * levels)
    return truth, prediction


@pytest.mark.parametrize("levels", [None, 1, 3])
def test_agrees_with_scipy_with_and_without_ties(levels: int | None) -> None:
    for seed in range(5):
        truth, prediction = sample(seed, levels)
        weights = np.ones((1, 40))
        tau = rank.kendall_tau(truth, prediction, ONE_UNIT_EACH, weights)[0]
        rho = rank.spearman(truth, prediction, ONE_UNIT_EACH, weights)[0]
        assert tau == pytest.approx(stats.kendalltau(truth, prediction).statistic)
        assert rho == pytest.approx(stats.spearmanr(truth, prediction).statistic)


def test_many_models_in_blocks_agree_with_scipy_whatever_the_order_of_units() -> None:
    truth, prediction = sample(3, 4, size=1300)
    unit = np.random.default_rng(0).integers(0, 37, 1300)
    tau = rank.kendall_tau(truth, prediction, unit, np.ones((1, 40)))
    assert tau[0] == pytest.approx(stats.kendalltau(truth, prediction).statistic)


@pytest.mark.parametrize("levels", [None, 2])
def test_units_that_a_resample_leaves_out_do_not_count(levels: int | None) -> None:
    truth, prediction = sample(4, levels)
    unit = ONE_UNIT_EACH // 4
    weights = np.random.default_rng(5).integers(0, 2, (10, 10)).astype(float)
    tau, rho = (metric(truth, prediction, unit, weights) for metric in (rank.kendall_tau, rank.spearman))
    for row, weight in enumerate(weights):
        kept = weight[unit] > 0
        assert tau[row] == pytest.approx(stats.kendalltau(truth[kept], prediction[kept]).statistic)
        assert rho[row] == pytest.approx(stats.spearmanr(truth[kept], prediction[kept]).statistic)


def test_spearman_with_weights_is_spearman_of_copies() -> None:
    truth, prediction = sample(6, 2)
    weights = np.random.default_rng(7).integers(0, 4, (10, 40)).astype(float)
    rho = rank.spearman(truth, prediction, ONE_UNIT_EACH, weights)
    for row, weight in enumerate(weights):
        rows = np.repeat(ONE_UNIT_EACH, weight.astype(int))
        assert rho[row] == pytest.approx(stats.spearmanr(truth[rows], prediction[rows]).statistic)


def test_tau_counts_pairs_of_a_unit_drawn_twice_by_hand() -> None:
    """Unit a drawn twice, b once: a's own pair (discordant) counts 2, each of its pairs with b 2 as well."""
    truth, prediction = np.array([1.0, 2.0, 5.0]), np.array([2.0, 1.0, 9.0])
    unit, weights = np.array([0, 0, 1]), np.array([[2.0, 1.0]])
    concordant, discordant = 2 * 2, 2
    expected = (concordant - discordant) / (concordant + discordant)
    assert rank.kendall_tau(truth, prediction, unit, weights)[0] == pytest.approx(expected)


def test_resampled_tau_is_centred_on_the_value_though_seeds_of_a_cell_cannot_be_ranked() -> None:
    """Copies of a cell compared with each other would pull the interval down, away from the value."""
    random = np.random.default_rng(8)
    cells, seeds = 12, 10
    level = np.repeat(random.normal(size=cells), seeds)
    truth, prediction = (level + 0.05 * random.normal(size=cells * seeds) for _ in range(2))
    unit = np.repeat(np.arange(cells), seeds)
    weights = np.vstack([np.ones(cells), random.multinomial(cells, np.full(cells, 1 / cells), size=2000)])
    tau = rank.kendall_tau(truth, prediction, unit, weights)
    copies = np.mean([stats.kendalltau(*_copies(truth, prediction, unit, row)).statistic for row in weights[1:200]])
    half_width = np.subtract(*np.quantile(tau[1:], [0.975, 0.025])) / 2
    assert abs(tau[1:].mean() - tau[0]) < 0.25 * half_width
    assert tau[1:].mean() > copies


def _copies(truth: np.ndarray, prediction: np.ndarray, unit: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    rows = np.repeat(np.arange(len(truth)), weight[unit].astype(int))
    return truth[rows], prediction[rows]


def test_a_constant_prediction_ranks_nothing() -> None:
    truth = np.random.default_rng(9).normal(size=40)
    constant = np.full(40, 0.1)
    weights = np.vstack([np.ones(40), np.random.default_rng(10).integers(0, 3, (50, 40))]).astype(float)
    assert (rank.kendall_tau(truth, constant, ONE_UNIT_EACH, weights) == 0).all()
    assert (rank.spearman(truth, constant, ONE_UNIT_EACH, weights) == 0).all()


def test_a_constant_target_cannot_be_ranked() -> None:
    constant, prediction = np.full(40, 0.3), np.random.default_rng(9).normal(size=40)
    for metric in (rank.kendall_tau, rank.spearman):
        assert np.isnan(metric(constant, prediction, ONE_UNIT_EACH, np.ones((1, 40)))).all()
        assert np.isnan(metric(prediction, prediction, ONE_UNIT_EACH, np.zeros((1, 40)))).all()
    assert np.isnan(rank.kendall_tau(np.array([]), np.array([]), np.array([], dtype=np.int64), np.ones((1, 2)))).all()


def test_tie_ceiling_is_the_tau_of_a_perfect_order_without_ties() -> None:
    truth = np.array([1.0, 1.0, 2.0, 3.0, 3.0, 3.0])
    continuous = np.arange(6.0)
    ceiling = rank.tie_ceiling(truth, np.arange(6), np.ones((1, 6)))[0]
    assert ceiling == pytest.approx(stats.kendalltau(truth, continuous).statistic)
    assert ceiling == pytest.approx(np.sqrt(1 - 4 / 15))


def test_within_cell_tau_ignores_what_tells_cells_apart() -> None:
    """Two cells far apart: one ranked rightly inside, one wrongly, one without differences."""
    truth = np.array([1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 50.0, 50.0])
    prediction = np.array([1.0, 2.0, 3.0, 13.0, 12.0, 11.0, 50.0, 51.0])
    cell = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    weights = np.array([[1.0, 1.0, 1.0], [3.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    tau = rank.kendall_tau_within(truth, prediction, cell, cell, weights)
    assert tau[:2] == pytest.approx([0.0, 0.5])
    assert np.isnan(tau[2])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=12), st.integers(1, 4))
def test_scores_keep_within_bounds_and_turn_with_the_prediction(pairs: list[tuple[int, int]], units: int) -> None:
    truth, prediction = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    unit = np.arange(len(pairs)) % units
    weights = np.random.default_rng(0).integers(0, 3, (6, units)).astype(float)
    for metric in (rank.kendall_tau, rank.spearman):
        values = metric(truth, prediction, unit, weights)
        assert (np.isnan(values) | (np.abs(values) <= 1 + 1e-12)).all()
        assert values == pytest.approx(-metric(truth, -prediction, unit, weights), nan_ok=True)
