"""Error metrics of regression for many bootstrap resamples at once.

Every function takes one unit index a model and weights ``[resamples, units]``, and returns ``[resamples]``. Sums of
squares and of absolute errors add over units, so a resample is one row of a matrix product.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wslbench.tasks.metrics.ratio import ratio

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def r2(truth: FloatArray, prediction: FloatArray, reference: float, unit: IntArray, weights: FloatArray) -> FloatArray:
    """``1 − Σ(y − p)² / Σ(y − reference)²``, the share of squares explained beyond a reference.

    With the train fold's mean as reference, a method that predicts that mean scores 0; the test fold's own mean,
    which scikit-learn uses, is something that no method knows. NaN where every target equals the reference.
    """
    units = weights.shape[1]
    errors = weights @ np.bincount(unit, weights=(truth - prediction) ** 2, minlength=units)
    spread = weights @ np.bincount(unit, weights=(truth - reference) ** 2, minlength=units)
    return np.asarray(1.0 - ratio(errors, spread), dtype=np.float64)


def mae(truth: FloatArray, prediction: FloatArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Mean absolute error; NaN where a resample holds no model."""
    units = weights.shape[1]
    errors = weights @ np.bincount(unit, weights=np.abs(truth - prediction), minlength=units)
    return ratio(errors, weights @ np.bincount(unit, minlength=units))


def average_over_folds(values: FloatArray, cells: FloatArray) -> FloatArray:
    """Mean of a metric over folds, weighted by their numbers of cells.

    Parameters
    ----------
    values
        The metric in each fold ``[folds, resamples]``; NaN where it is undefined, and then the fold does not count.
    cells
        Number of cells of each fold in each resample ``[folds, resamples]``.
    """
    counted = np.where(np.isfinite(values), cells, 0.0)
    return ratio((np.nan_to_num(values) * counted).sum(axis=0), counted.sum(axis=0))
