"""What is wrong with an array of predictions, in words."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from wslbench.evaluation.failures import FailureKind

_SUM_TOLERANCE: Final = 1e-3  # float32 soft-max over a few classes stays far below
_CHANGE: Final = 1e-4  # relative; batch matrix products in float32 differ by about 1e-6


class Flaw(NamedTuple):
    """A kind of failure and its message."""

    kind: FailureKind
    message: str


def flaw(prediction: np.ndarray, count: int, classes: tuple[str, ...]) -> Flaw | None:
    """Why ``prediction`` is no answer for ``count`` models, or None.

    Parameters
    ----------
    prediction
        What came back, float64, of any shape.
    count
        Models that were asked for.
    classes
        Class names; empty for regression.
    """
    wanted = (count, len(classes)) if classes else (count,)
    if prediction.shape != wanted:
        asked = f"{list(wanted)} ({count} models{f', {len(classes)} classes' if classes else ''})"
        return Flaw("wrong_shape", f"`predict` returned an array of shape {list(prediction.shape)} instead of {asked}")
    finite = np.isfinite(prediction)
    if not finite.all():
        first = np.argwhere(~finite)[0]
        return Flaw(
            "not_finite",
            f"`predict` returned {prediction[tuple(first)]} in row {first[0]} ({(~finite).sum()} of {finite.size} "
            "values are not finite)",
        )
    if classes:
        sums = prediction.sum(axis=1)
        wrong = (prediction < 0).any(axis=1) | (np.abs(sums - 1) > _SUM_TOLERANCE)
        if wrong.any():
            row = int(np.argmax(wrong))
            shown = ", ".join(f"{value:.4g}" for value in prediction[row])
            return Flaw(
                "wrong_shape", f"`predict` returned no probabilities: row {row} is [{shown}], sum {sums[row]:.6g}"
            )
    return None


def first_change(before: np.ndarray, after: np.ndarray, scale: float) -> int | None:
    """First row in which two predictions of the same models differ by more than rounding, or None.

    Parameters
    ----------
    before, after
        ``[n, columns]``.
    scale
        Typical size of a prediction; differences are relative to the larger of it and the value, so that a
        value near zero is not held to more digits than float32 has.
    """
    allowed = _CHANGE * np.maximum(np.abs(before), 0.1 * scale)
    changed = (np.abs(before - after) > allowed).any(axis=1)
    return int(np.argmax(changed)) if changed.any() else None
