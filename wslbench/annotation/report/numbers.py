"""Numbers as the page shows them."""

from __future__ import annotations

from math import floor, isfinite, log10

from wslbench.annotation.report.cell_rows import Estimate

NOTHING = "–"


def shown(value: float | None, digits: int = 3) -> str:
    """So many significant digits, without powers of ten where that is short; a dash for what is missing."""
    if value is None or not isfinite(value):
        return NOTHING
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    return f"{value:.{digits}g}".replace("-", "−")


def hundredths(value: float | None) -> str:
    """A probability."""
    return NOTHING if value is None or not isfinite(value) else f"{value:.2f}"


def thousandths(value: float | None) -> str:
    """A separability."""
    return NOTHING if value is None or not isfinite(value) else f"{value:.3f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A share in per cent."""
    return NOTHING if value is None or not isfinite(value) else f"{100 * value:.{digits}f} %"


def with_error(estimate: Estimate) -> str:
    """``0.0224 ± 0.0003``: as many decimals as two digits of the error need."""
    if not isfinite(estimate.value):
        return NOTHING
    if not isfinite(estimate.error) or estimate.error <= 0:
        return shown(estimate.value)
    decimals = min(max(1 - floor(log10(estimate.error)), 0), 8)
    return f"{estimate.value:.{decimals}f} ± {estimate.error:.{decimals}f}".replace("-", "−")
