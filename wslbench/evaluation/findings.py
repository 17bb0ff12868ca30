"""The part of a record that follows from the predictions beside it: whoever has those can work it out again."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import PLAIN_TAIL, interval
from wslbench.evaluation.floors import LEGAL_FLOORS
from wslbench.evaluation.result_schema import Confusion, Estimate, Lift, Record, TaskRecord, WorstPhase
from wslbench.evaluation.scores import Scores
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]


class Findings(Record):
    """Fields of a :class:`~wslbench.evaluation.result_schema.ResultRecord`, under their names there."""

    task: TaskRecord
    failed_share: float
    metrics: dict[str, Estimate]
    per_phase: dict[str, dict[str, Estimate]]
    per_fold: dict[str, dict[str, float | None]]
    worst_phase: WorstPhase | None
    confusion: Confusion | None
    absent_phases: dict[str, list[str]]
    left_out: int
    floors: dict[str, dict[str, Estimate]]
    ceilings: dict[str, dict[str, Estimate]]
    lift: Lift | None


def estimate(draws: FloatArray, tail: float = PLAIN_TAIL) -> Estimate:
    """An estimate from draws ``[seeds, 1 + resamples]``, ``tail`` of which lie beyond either end of its interval."""
    value, low, high = (finite(number) for number in interval(draws.mean(axis=0), tail))
    spread = float(draws[:, 0].std(ddof=1)) if len(draws) > 1 else math.nan
    return Estimate(value=value, low=low, high=high, seed_sd=finite(spread))


def estimates(metrics: Mapping[str, FloatArray], tail: float = PLAIN_TAIL) -> dict[str, Estimate]:
    """An estimate for each metric."""
    return {name: estimate(draws, tail) for name, draws in metrics.items()}


def lift_over(floors: Mapping[str, Scores], scores: Scores, metric: str) -> Lift:
    """The lift in a metric over the best legal floor, paired on the same resamples."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    best = max(LEGAL_FLOORS, key=lambda name: sign * floors[name].draws(metric)[0])
    difference = interval(sign * (scores.draws(metric) - floors[best].draws(metric)), scores.tail)
    value, low, high = (finite(number) for number in difference)
    return Lift(value=value, low=low, high=high, metric=metric, over=best)


def finite(value: float) -> float | None:
    """A number, or null where JSON knows none."""
    return value if math.isfinite(value) else None
