"""Intervals as small bars: a line from end to end, a dot at the value, a thin mark where a reference lies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeGuard

import numpy as np
from markupsafe import Markup

Ends = tuple[float | None, float | None, float | None]

WIDTH: Final = 96
HEIGHT: Final = 12
_MARGIN: Final = 4
_BEYOND: Final = 2.0  # how far a scale reaches beyond the middle four fifths, in their width


class Scale(NamedTuple):
    """The values at the two ends of a column's bars, and one to compare with."""

    low: float
    high: float
    reference: float | None = None

    def place(self, value: float) -> int:
        """Pixels from the left; what lies beyond an end is drawn at it."""
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN))


def scale_of(estimates: Iterable[Ends], reference: float | None = None) -> Scale | None:
    """One scale for all bars of a column; None where there is nothing to draw."""
    found = [value for estimate in estimates for value in estimate if _drawable(value)]
    if reference is not None and _drawable(reference):
        found.append(reference)
    if not found:
        return None
    low, high = min(found), max(found)
    inner = np.quantile(found, [0.1, 0.9])
    slack = _BEYOND * float(inner[1] - inner[0])
    if slack > 0:  # one wild interval must not make dots of all the others
        low, high = max(low, float(inner[0]) - slack), min(high, float(inner[1]) + slack)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Scale(low, high, reference)


def bar(estimate: Ends, scale: Scale | None) -> Markup | None:
    """The bar of ``(value, low, high)``; None where there is no value."""
    value, low, high = estimate
    if scale is None or not _drawable(value):
        return None
    parts = ['<svg class="bar" aria-hidden="true">']
    if scale.reference is not None:
        parts.append(f'<path class="ref" d="M{scale.place(scale.reference)} 0v{HEIGHT}"/>')
    if _drawable(low) and _drawable(high):
        parts.append(f'<path d="M{scale.place(low)} {HEIGHT // 2}H{scale.place(high)}"/>')
    parts.append(f'<path class="dot" d="M{scale.place(value)} {HEIGHT // 2}h0"/></svg>')
    return Markup("".join(parts))  # numbers only


def _drawable(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and abs(value) < 1e6
