"""Division where the denominator may be empty: the one rule for what a metric is when nothing can be compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike, otherwise: float = np.nan) -> FloatArray:
    """``numerator / denominator`` where the denominator is positive, ``otherwise`` elsewhere; shapes broadcast."""
    above, below = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    result = np.full(below.shape, otherwise)
    np.divide(above, below, out=result, where=below > 0)
    return result
