"""What ``wslbench zoo plot`` can map over load and temperature: columns of a zoo's cells, their scales and texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class OrderMap(NamedTuple):
    """One quantity of a cell, as a heat map shows it.

    Attributes
    ----------
    column
        Its column in ``zoo.cells``.
    title
        Name and unit of what ``shown`` gives.
    shown
        From the column's values to those that are drawn; where the result is not finite, the cell stays blank.
    text
        A drawn value as it stands in its cell: short, for a grid may have 20 columns.
    wide
        Whether values span orders of magnitude: colours then follow their logarithm, or an arsinh if some are not
        positive.
    """

    column: str
    title: str
    shown: Callable[[FloatArray], FloatArray]
    text: Callable[[float], str]
    wide: bool = False


def _unchanged(values: FloatArray) -> FloatArray:
    return values


def _percent(values: FloatArray) -> FloatArray:
    return 100 * values


def _log10(values: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def _tenths(value: float) -> str:
    return f"{_rounded(value, 1):.1f}".replace("-", "−")


def _signed(value: float) -> str:
    value = _rounded(value, 1 if abs(value) < 9.95 else 0)
    if value == 0:
        return "0.0"
    return (f"{value:+.1f}" if abs(value) < 10 else f"{value:+.0f}").replace("-", "−")


def _hundredths(value: float) -> str:
    return f"{_rounded(value, 2):.2f}".removeprefix("0").replace("-0", "−").replace("-", "−")


def _rounded(value: float, digits: int) -> float:
    return round(float(value), digits) + 0.0  # no minus before a zero


def two_digits(value: float) -> str:
    """Two significant digits in at most five characters: 1.2k, 340k, −.05, 3e-4."""
    if value == 0:
        return "0"
    size = float(f"{abs(value):.1e}")
    sign = "−" if value < 0 else ""
    if size < 0.01 or size >= 1e9:
        mantissa, exponent = f"{size:.0e}".split("e")
        return f"{sign}{mantissa}e{int(exponent)}"
    unit, letter = next((unit, letter) for unit, letter in ((1e6, "M"), (1e3, "k"), (0.0, "")) if size >= unit)
    scaled = size / (unit or 1.0)
    if scaled < 1:
        return sign + f"{scaled:.2g}".removeprefix("0")
    return f"{sign}{scaled:.1f}{letter}" if scaled < 10 else f"{sign}{scaled:.0f}{letter}"


ORDER_MAPS = (
    OrderMap("train_loss", "log10 train loss", _log10, _tenths),
    OrderMap("mode_connectivity", "mode connectivity (pp)", _unchanged, _signed),
    OrderMap("cka", "CKA similarity", _unchanged, _hundredths),
    OrderMap("hessian_trace", "Hessian trace", _unchanged, two_digits, wide=True),
    OrderMap("hessian_top_eigenvalue", "top Hessian eigenvalue", _unchanged, two_digits, wide=True),
    OrderMap("test_accuracy", "test accuracy (%)", _percent, _tenths),
    OrderMap("relative_l2_error", "log10 relative L2 error", _log10, _tenths),
)
