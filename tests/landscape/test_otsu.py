"""Otsu's cut-off against brute force, closed forms and its null."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslbench.errors import LandscapeError
from wslbench.landscape.otsu import otsu


def brute_force(values):
    """Between-class variance of every split, straight from the definition."""
    ordered = sorted(values)
    best, cutoff = -1.0, None
    for i in range(1, len(ordered)):
        if ordered[i] == ordered[i - 1]:
            continue
        low, high = np.array(ordered[:i]), np.array(ordered[i:])
        weight = len(low) * len(high) / len(ordered) ** 2
        between = weight * (high.mean() - low.mean()) ** 2
        if between > best * (1 + 1e-9):
            best, cutoff = between, (ordered[i - 1] + ordered[i]) / 2
    return cutoff, best / np.var(ordered)


@given(
    st.lists(st.integers(-1000, 1000).map(lambda i: i / 8), min_size=3, max_size=40).filter(lambda v: len(set(v)) > 1)
)
def test_equals_brute_force(values):
    cutoff = otsu(values)
    expected, separability = brute_force(values)
    assert cutoff.value == pytest.approx(expected)
    assert cutoff.separability == pytest.approx(separability)


def test_hand_worked():
    assert otsu([0, 0, 0, 10, 10]).value == 5
    assert otsu([0, 0, 0, 10, 10]).separability == pytest.approx(1.0)


def test_ties_go_low():
    # Symmetric: splitting after the first or before the last value is equally good.
    assert otsu([0.0, 1.0, 2.0]).value == 0.5


def test_two_modes_exceed_the_null_and_one_does_not():
    generator = np.random.default_rng(0)
    two = np.concatenate([generator.normal(-3, 0.5, 60), generator.normal(3, 0.5, 60)])
    assert otsu(two).is_transition
    assert not otsu(generator.normal(size=120)).is_transition


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [1.0, float("nan")]])
def test_refuses_what_has_no_split(values):
    with pytest.raises(LandscapeError):
        otsu(values)
