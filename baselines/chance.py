"""Chance: what is right without looking at a single model.

Every phase that occurs among the train models gets the same probability; every value is the mean of the
train models. (Phase frequencies would score worse than chance where the most frequent phase of the train
side is rare on the test side, as on a held-out width.) The evaluator fills the same prediction in for
models that a method fails on or does not cover.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wslbench import Models
from wslbench.typing import Context


class Chance:
    """Equal probabilities, or the mean, of what the train models show."""

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Note which phases occur, or average the values."""
        if context.task.kind == "phase_classification":
            seen = np.array([float((target == phase).any()) for phase in context.classes])
            self._prediction = seen / seen.sum()
        else:
            self._prediction = np.asarray(target.mean(), dtype=np.float64)

    def predict(self, models: Models) -> npt.NDArray[np.float64]:
        """The same for every model."""
        return np.broadcast_to(self._prediction, (len(models), *self._prediction.shape)).copy()
