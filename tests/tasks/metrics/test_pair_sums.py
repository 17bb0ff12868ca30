"""Sums over pairs without going through them, against sums over all pairs: equal to the bit, as they are exact."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslbench.tasks.metrics import pair_sums as module
from wslbench.tasks.metrics.pair_sums import pair_sums


def by_all_pairs(truth: np.ndarray, prediction: np.ndarray, unit: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """What the docstring says, pair by pair."""
    order = np.sign(truth[:, None] - truth), np.sign(prediction[:, None] - prediction)
    same = unit[:, None] == unit
    pair_weight = np.where(same, weights[:, unit, None], weights[:, unit, None] * weights[:, None, unit])
    return [(pair_weight * each).sum(axis=(1, 2)) for each in (order[0] * order[1], np.abs(order[0]), np.abs(order[1]))]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 9),
    st.integers(0, 1000),
)
def test_any_ties_units_and_tiles_give_the_sums_over_all_pairs(
    models: list[tuple[int, int, int]], tile: int, seed: int
) -> None:
    truth, prediction, unit = (np.array(values) for values in zip(*models, strict=True))
    weights = np.random.default_rng(seed).integers(0, 4, (5, 4)).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TILE", tile)
        patch.setattr(module, "_BLOCK_VALUES", 50)
        found = pair_sums(truth.astype(float), prediction.astype(float), unit, weights)
    for sums, expected in zip(found, by_all_pairs(truth, prediction, unit, weights), strict=True):
        np.testing.assert_array_equal(sums, expected)


def test_ten_thousand_models_take_little_memory() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=10_000)
    unit = np.arange(10_000) // 5
    weights = rng.multinomial(2000, np.full(2000, 1 / 2000), size=20).astype(float)
    tracemalloc.start()
    pair_sums(truth, truth + rng.normal(size=10_000), unit, weights)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6  # a matrix of all pairs would be 800 MB
