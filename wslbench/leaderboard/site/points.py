"""Predicted against true values as small pictures, all methods of a task at once.

A point is a segment of no length with round ends, given by its step from the one before: seven characters, so that a
page with seventy pictures stays small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from wslbench.leaderboard.columns import number

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SIDE: Final = 200
_MARGIN: Final = 8
_BEYOND: Final = 0.25  # of the true values' range: predictions farther out are drawn at the edge


class _Points(NamedTuple):
    """Finite points ``[n]`` of one picture, or ``[pictures, n]`` of several."""

    x: FloatArray
    y: FloatArray
    phase: IntArray


def predicted_against_true(
    points: Sequence[Mapping[str, Sequence[float]]], label: str, phases: int
) -> list[Markup | None]:
    """Squares with their diagonals, one for each method; None without two finite points.

    Parameters
    ----------
    points
        Of each method ``x`` true, ``y`` predicted, ``phase`` an index or −1, as ``board.json`` has them.
    label
        What is said of the pictures to those who do not see them.
    phases
        How many there are.
    """
    drawn: list[Markup | None] = [None] * len(points)
    alike: dict[int, dict[int, _Points]] = {}
    for place, each in enumerate(points):
        found = _finite(each, phases)
        if len(found.x) > 1:
            alike.setdefault(len(found.x), {})[place] = found
    for some in alike.values():
        stacked = _Points(*(np.stack(arrays) for arrays in zip(*some.values(), strict=True)))
        for place, picture in zip(some, _pictures(stacked, label), strict=True):
            drawn[place] = picture
    return drawn


def _finite(points: Mapping[str, Sequence[float]], phases: int) -> _Points:
    x, y = np.asarray(points["x"], np.float64), np.asarray(points["y"], np.float64)
    phase = np.asarray(points["phase"], np.int64)
    kept = np.isfinite(x) & np.isfinite(y)
    return _Points(x[kept], y[kept], np.where(phase < phases, phase, -1)[kept])


def _pictures(points: _Points, label: str) -> list[Markup | None]:
    """One a row of points ``[pictures, n]``."""
    x, y, phase = points
    first, last = x.min(axis=1), x.max(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        slack = _BEYOND * (last - first)
        slack[slack == 0] = 0.5
        low = np.maximum(first - slack, np.minimum(first, y.min(axis=1)))
        high = np.minimum(last + slack, np.maximum(last, y.max(axis=1)))
        drawable = np.isfinite(high - low)
        across, above = (
            np.rint(_MARGIN + _shares(each, low, high) * (SIDE - 2 * _MARGIN)).astype(np.int64) for each in (x, y)
        )
    paths = _paths(across, SIDE - above, phase)
    return [
        Markup(  # names come through `escape`
            f'<svg class="points" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(label)}">'
            f'<path class="diagonal" d="M{_MARGIN} {SIDE - _MARGIN}L{SIDE - _MARGIN} {_MARGIN}"/>'
            f'{dots}<text x="{SIDE}" y="{SIDE - 2}" text-anchor="end">{number(to)}</text>'
            f'<text x="0" y="{SIDE - 2}">{number(start)}</text></svg>'
        )
        if whole
        else None
        for dots, start, to, whole in zip(paths, low.tolist(), high.tolist(), drawable.tolist(), strict=True)
    ]


def _shares(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """How far values ``[pictures, n]`` are from the low end to the high one, 0 to 1; 0 where that is no number."""
    shares = (np.clip(values, low[:, None], high[:, None]) - low[:, None]) / (high - low)[:, None]
    return np.nan_to_num(shares, nan=0.0)


def _paths(across: IntArray, up: IntArray, phase: IntArray) -> list[str]:
    """A path a phase, from left to right: each point by its step from the one before, the first from the corner."""
    order = np.lexsort((up, across, phase), axis=1)
    across, up, phase = (np.take_along_axis(each, order, axis=1) for each in (across, up, phase))
    first = np.ones(phase.shape, bool)
    first[:, 1:] = phase[:, 1:] != phase[:, :-1]
    right, down = across.copy(), up.copy()
    right[:, 1:] -= across[:, :-1]
    down[:, 1:] -= up[:, :-1]
    right[first], down[first] = across[first], up[first]
    words = _words()[right + SIDE, down + SIDE]
    found = []
    for row, starts, phases in zip(words, first, phase, strict=True):
        places = np.flatnonzero(starts).tolist()
        said = row.tolist()
        found.append(
            "".join(
                f'<path class="p{index if index >= 0 else "n"}" d="{"".join(said[start:end])}"/>'
                for start, end, index in zip(places, [*places[1:], len(said)], phases[places].tolist(), strict=True)
            )
        )
    return found


@cache
def _words() -> npt.NDArray[np.object_]:
    """What is written for a step, ``[right + SIDE, down + SIDE]``: looked up, for a large board has a million steps."""
    sides = range(-SIDE, SIDE + 1)
    return np.array([[f"m{x} {y}h0" if y >= 0 else f"m{x}{y}h0" for y in sides] for x in sides], dtype=object)
