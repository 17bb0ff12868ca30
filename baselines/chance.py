"""Chance: what is right without looking at a single model.

Every phase gets its frequency among the train models; every value is the mean of the train models. The
evaluator fills the same prediction in for models that a method fails on or does not cover.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wslbench import Models
from wslbench.typing import Context


class Chance:
    """Class frequencies, or the mean, of the train models."""

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Count the phases, or average the values, of the train models."""
        if context.task.kind == "phase_classification":
            self._prediction = np.array([np.mean(target == phase) for phase in context.classes])
        else:
            self._prediction = np.asarray(target.mean(), dtype=np.float64)

    def predict(self, models: Models) -> npt.NDArray[np.float64]:
        """The same for every model."""
        return np.broadcast_to(self._prediction, (len(models), *self._prediction.shape)).copy()
