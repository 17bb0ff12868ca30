"""Classification metrics for many bootstrap resamples at once.

A resample is a vector of weights, one a unit. Confusion counts add over units, so each resample costs one small
matrix product; the metrics then work on stacks of confusion matrices ``[..., true, predicted]``.

A mean over classes runs over those that have a true model (as scikit-learn's balanced accuracy does): a phase that a
resample happens not to contain has no recall, and counting it as 0 would pull the interval down.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wslbench.tasks.metrics.ratio import ratio

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SMALLEST_PROBABILITY = 1e-6


def confusion_by_unit(truth: IntArray, predicted: IntArray, unit: IntArray, units: int, classes: int) -> FloatArray:
    """Counts ``[units, classes, classes]`` of (true, predicted) pairs in each unit.

    Parameters
    ----------
    truth, predicted, unit
        One class index, class index and unit index a model.
    """
    flat = (unit * classes + truth) * classes + predicted
    counts = np.bincount(flat, minlength=units * classes * classes)
    return counts.reshape(units, classes, classes).astype(np.float64)


def resampled_confusion(by_unit: FloatArray, weights: FloatArray) -> FloatArray:
    """Confusion matrices ``[resamples, classes, classes]`` for weights ``[resamples, units]``."""
    return np.tensordot(weights, by_unit, axes=1)


def recall(confusion: FloatArray) -> FloatArray:
    """Recall of each class ``[..., classes]``; NaN for a class without a true model."""
    return ratio(_hits(confusion), confusion.sum(axis=-1))


def precision(confusion: FloatArray) -> FloatArray:
    """Precision of each class ``[..., classes]``; NaN for a class that is never predicted."""
    return ratio(_hits(confusion), confusion.sum(axis=-2))


def f1(confusion: FloatArray) -> FloatArray:
    """F1 of each class ``[..., classes]``; NaN for a class without a true model."""
    support = confusion.sum(axis=-1)
    scores = ratio(2 * _hits(confusion), support + confusion.sum(axis=-2))
    return np.where(support > 0, scores, np.nan)


def balanced_accuracy(confusion: FloatArray) -> FloatArray:
    """Mean recall over the classes that have a true model; NaN where none has."""
    return _mean_defined(recall(confusion))


def macro_f1(confusion: FloatArray) -> FloatArray:
    """Mean F1 over the classes that have a true model; NaN where none has."""
    return _mean_defined(f1(confusion))


def normalised(probabilities: FloatArray) -> FloatArray:
    """Rows scaled to sum 1: without it, a method that says 1 for every class would have no log loss."""
    # First by the largest, so that the sum of very large or very small scores neither overflows nor vanishes.
    scaled = probabilities / probabilities.max(axis=1, keepdims=True)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), dtype=np.float64)


def log_loss(true_probability: FloatArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Mean ``−ln p`` of the true class ``[resamples]``, in nats, with p at least 1e-6.

    Parameters
    ----------
    true_probability
        The normalised probability that each model's true class was given ``[models]``.
    unit
        Unit index of each model ``[models]``.
    weights
        Weight of each unit ``[resamples, units]``.
    """
    losses = -np.log(np.clip(true_probability, SMALLEST_PROBABILITY, 1.0))
    units = weights.shape[1]
    total = weights @ np.bincount(unit, weights=losses, minlength=units)
    return ratio(total, weights @ np.bincount(unit, minlength=units))


def _hits(confusion: FloatArray) -> FloatArray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _mean_defined(values: FloatArray) -> FloatArray:
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))
