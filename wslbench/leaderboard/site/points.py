"""Predicted against true values as a small picture of a few hundred points.

A point is a segment of no length with round ends, given by its step from the one before: seven characters, so that a
page with seventy pictures stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from wslbench.leaderboard.columns import number

IntArray = npt.NDArray[np.int64]

SIDE: Final = 200
MOST: Final = 160
_MARGIN: Final = 8
_BEYOND: Final = 0.25  # of the true values' range: predictions farther out are drawn at the edge


def predicted_against_true(points: dict[str, Sequence[float]], label: str, phases: int) -> Markup | None:
    """A square with its diagonal; None without two finite points.

    Parameters
    ----------
    points
        ``x`` true, ``y`` predicted, ``phase`` an index or −1, as ``board.json`` has them.
    label
        What is said of the picture to those who do not see it.
    phases
        How many there are.
    """
    x, y = np.asarray(points["x"], np.float64), np.asarray(points["y"], np.float64)
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    kept = kept[:: -(-len(kept) // MOST)] if len(kept) else kept
    if len(kept) < 2:
        return None
    x, y, phase = x[kept], y[kept], np.asarray(points["phase"], np.int64)[kept]
    low, high = float(x.min()), float(x.max())
    slack = _BEYOND * (high - low) or 0.5
    low, high = max(low - slack, min(low, float(y.min()))), min(high + slack, max(high, float(y.max())))
    if not np.isfinite(high - low):
        return None
    across, above = (
        np.rint(_MARGIN + (np.clip(each, low, high) - low) / (high - low) * (SIDE - 2 * _MARGIN)).astype(np.int64)
        for each in (x, y)
    )
    up = SIDE - above
    dots = [
        f'<path class="p{index if index >= 0 else "n"}" d="{path}"/>'
        for index, path in _paths(across, up, np.where(phase < phases, phase, -1))
    ]
    return Markup(  # names come through `escape`
        f'<svg class="points" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(label)}">'
        f'<path class="diagonal" d="M{_MARGIN} {SIDE - _MARGIN}L{SIDE - _MARGIN} {_MARGIN}"/>'
        f'{"".join(dots)}<text x="{SIDE}" y="{SIDE - 2}" text-anchor="end">{number(high)}</text>'
        f'<text x="0" y="{SIDE - 2}">{number(low)}</text></svg>'
    )


def _paths(across: IntArray, up: IntArray, phase: IntArray) -> Iterator[tuple[int, str]]:
    """A path a phase, from left to right: each point by its step from the one before, the first from the corner."""
    order = np.lexsort((up, across, phase))
    across, up, phase = across[order], up[order], phase[order]
    first = np.flatnonzero(np.r_[True, phase[1:] != phase[:-1]])
    right, down = across.copy(), up.copy()
    right[1:] -= across[:-1]
    down[1:] -= up[:-1]
    right[first], down[first] = across[first], up[first]
    steps = [f"m{x} {y}h0" if y >= 0 else f"m{x}{y}h0" for x, y in zip(right.tolist(), down.tolist(), strict=True)]
    for start, end in zip(first.tolist(), [*first[1:].tolist(), len(steps)], strict=True):
        yield int(phase[start]), "".join(steps[start:end])
