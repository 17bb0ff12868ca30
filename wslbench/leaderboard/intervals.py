"""Many intervals at once: the same numbers as one after the other, in a hundredth of the calls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import interval

FloatArray = npt.NDArray[np.float64]


def intervals(draws: FloatArray, tail: float) -> FloatArray:
    """Value, low and high ``[n, 3]`` of draws ``[n, 1 + resamples]``; each row as :func:`interval` has it."""
    found = np.empty((len(draws), 3))
    whole = np.isfinite(draws).all(axis=1) & (draws.shape[1] > 1)
    if whole.any():
        values = draws[whole, :1]
        ends = row_quantiles(draws[whole, 1:], [tail, 1 - tail])
        found[whole] = np.hstack([values, np.where(np.isclose(ends, values, rtol=1e-12, atol=1e-14), values, ends)])
    for row in np.flatnonzero(~whole):
        found[row] = interval(draws[row], tail)
    return found


def row_quantiles(rows: FloatArray, fractions: Sequence[float]) -> FloatArray:
    """Quantiles ``[n, fractions]`` of each row of finite numbers ``[n, m]``, the very numbers of ``np.quantile``.

    Sorting rows as they lie in memory is four times as fast as the selection that ``np.quantile`` makes.
    """
    ordered = np.sort(rows, axis=1)
    places = np.asarray(fractions) * (rows.shape[1] - 1)
    below = places.astype(np.intp)
    share = places - below
    left, right = ordered[:, below], ordered[:, np.minimum(below + 1, rows.shape[1] - 1)]
    found: FloatArray = np.where(share < 0.5, left + (right - left) * share, right - (right - left) * (1 - share))
    return found
