"""How much of a public score is lost on networks that nobody has seen, paired over the same runs and resamples."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.evaluation.bootstrap import Resamples, draw_resamples, interval
from wslbench.evaluation.findings import finite
from wslbench.evaluation.result_schema import Estimate
from wslbench.evaluation.scoring import score
from wslbench.tasks import Problem
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]


class Gap(NamedTuple):
    """How much better a method is on the public zoo; above 0 throughout: it has memorised some of it."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def estimate(self) -> Estimate:
        """The same, as records have it."""
        return Estimate(value=self.value, low=self.low, high=self.high)


def headline_draws(problem: Problem, predictions: pd.DataFrame, resamples: Resamples) -> FloatArray:
    """The headline on a problem ``[seeds, 1 + resamples]``.

    Parameters
    ----------
    resamples
        Of a problem with the same units and cells: the same of them are drawn here.

    Raises
    ------
    ResultError
        If the predictions are not complete.
    """
    own = draw_resamples(problem, count=0)
    same = replace(resamples, unit=own.unit, cell=own.cell)  # other models, in another order
    return score(problem, predictions, same).metrics[problem.task.headline]


def gap_draws(metric: str, public: FloatArray, regrown: FloatArray) -> FloatArray:
    """The gap ``[1 + resamples]`` between two results of :func:`headline_draws`; their seeds need not be as many."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    return np.asarray(sign * (public.mean(axis=0) - regrown.mean(axis=0)), dtype=np.float64)


def gap_of(draws: FloatArray, tail: float) -> Gap:
    """Value and interval of :func:`gap_draws`."""
    return Gap(*(finite(number) for number in interval(draws, tail)))
