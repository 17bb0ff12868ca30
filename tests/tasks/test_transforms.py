"""Scales: there and back, and what happens at their ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from wslbench.errors import TaskError
from wslbench.tasks import make_transform


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("identity", [-3.0, 0.0, 2.5]),
        ("logit", [0.01, 0.5, 0.97]),
        ("log10", [1e-4, 1.0, 300.0]),
        ("asinh", [-50.0, 0.0, 1e6]),
    ],
)
def test_there_and_back(name, values) -> None:
    transform = make_transform(name, 597)
    there = transform.forward(np.array(values))
    assert transform.inverse(there) == pytest.approx(np.array(values))
    assert (np.diff(there) > 0).all()


def test_logit_is_scipys_and_stays_finite_at_no_and_at_every_example_right() -> None:
    transform = make_transform("logit", 100)
    assert transform.forward(np.array([0.3])) == pytest.approx(special.logit(0.3))
    ends = transform.forward(np.array([0.0, 0.004, 0.99, 1.0]))
    assert ends == pytest.approx(special.logit([0.005, 0.005, 0.99, 0.995]))
    assert transform.inverse(np.array([-1e6, 2.0, 1e6])) == pytest.approx(np.array([0.0, special.expit(2.0), 1.0]))


@pytest.mark.parametrize("name", ["identity", "logit", "log10", "asinh"])
def test_a_wild_prediction_stays_finite_also_when_squared(name) -> None:
    back = make_transform(name, 10).inverse(np.array([-1e100, 1e100]))
    assert np.isfinite(back**2).all()


def test_logit_needs_the_size_of_the_test_set() -> None:
    with pytest.raises(TaskError, match=r"data_set\.test_size"):
        make_transform("logit", None)
