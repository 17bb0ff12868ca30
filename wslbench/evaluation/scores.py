"""What scoring a method gives: every metric in every seed, on the task and on each of its resamples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import PLAIN_TAIL

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Metrics as arrays ``[seeds, 1 + resamples]``; column 0 is the task itself. NaN where undefined.

    Attributes
    ----------
    metrics
        Over the whole task.
    per_phase
        For each phase.
    per_fold
        For each fold, on the task itself only ``[seeds]``.
    confusion
        Mean over seeds of the counts ``[true, predicted]``; None for regression.
    tail
        Share of the resamples to leave out at either end of an interval.
    """

    metrics: Mapping[str, FloatArray]
    per_phase: Mapping[str, Mapping[str, FloatArray]]
    per_fold: Mapping[int, Mapping[str, FloatArray]]
    confusion: FloatArray | None = None
    tail: float = PLAIN_TAIL

    def draws(self, metric: str) -> FloatArray:
        """A metric, averaged over seeds ``[1 + resamples]``."""
        return np.asarray(self.metrics[metric].mean(axis=0), dtype=np.float64)
