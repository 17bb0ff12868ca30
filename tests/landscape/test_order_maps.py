"""What stands in the cells of a heat map, by hand."""

import numpy as np
import pytest

from wslbench.landscape.order_maps import ORDER_MAPS, two_digits

MAPS = {order_map.column: order_map for order_map in ORDER_MAPS}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1.0"), (9.94, "9.9"), (9.96, "10"), (96.9, "97"), (995, "1.0k"), (1234, "1.2k"),
        (12_345, "12k"), (340_000, "340k"), (999_000, "1.0M"), (1.2e8, "120M"), (3e12, "3e12"), (0.5, ".5"),
        (0.999, "1.0"), (0.0123, ".012"), (0.0034, "3e-3"), (-3.14, "−3.1"), (-0.05, "−.05"), (-2.6e-9, "−3e-9"),
    ],
)  # fmt: skip
def test_two_significant_digits_stay_short(value, text):
    assert two_digits(value) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("train_loss", 0.01, "−2.0"),
        ("train_loss", 0.98, "0.0"),
        ("relative_l2_error", 30.0, "1.5"),
        ("mode_connectivity", 2.04, "+2.0"),
        ("mode_connectivity", -2.06, "−2.1"),
        ("mode_connectivity", -0.04, "0.0"),
        ("mode_connectivity", -9.96, "−10"),
        ("mode_connectivity", 33.4, "+33"),
        ("cka", 0.708, ".71"),
        ("cka", 1.0, "1.00"),
        ("cka", -0.05, "−.05"),
        ("cka", -0.001, ".00"),
        ("test_accuracy", 0.9542, "95.4"),
        ("hessian_trace", -31.4, "−31"),
    ],
)
def test_a_value_as_its_cell_shows_it(column, value, text):
    order_map = MAPS[column]
    assert order_map.text(order_map.shown(np.array([value]))[0]) == text


def test_a_loss_without_a_logarithm_is_not_finite():
    assert not np.isfinite(MAPS["train_loss"].shown(np.array([0.0, -1.0, np.nan, np.inf]))).any()
