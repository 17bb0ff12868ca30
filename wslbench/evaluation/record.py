"""From predictions and unit outcomes to the immutable record of one method on one task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench import __version__
from wslbench.errors import ResultError
from wslbench.evaluation.bootstrap import Resamples, draw_resamples, interval
from wslbench.evaluation.ceilings import ceilings
from wslbench.evaluation.environment import environment
from wslbench.evaluation.floors import LEGAL_FLOORS, Floors
from wslbench.evaluation.predictions import hash_predictions, with_context
from wslbench.evaluation.result_schema import (
    Confusion,
    Cost,
    Estimate,
    Lift,
    MethodInfo,
    Provenance,
    ResultRecord,
    Status,
    TaskRecord,
    UnitOutcome,
    WorstPhase,
)
from wslbench.evaluation.scores import Scores
from wslbench.evaluation.scoring import score
from wslbench.evaluation.tier import TIER
from wslbench.tasks import Problem
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]

SCORING_VERSION = 1  # raised whenever the same predictions would get other numbers


def build_record(
    problem: Problem,
    predictions: pd.DataFrame,
    method: MethodInfo,
    units: Sequence[UnitOutcome],
    floors: Floors,
    warnings: Sequence[str] = (),
    device: str = "cpu",
) -> ResultRecord:
    """Score a method's predictions and put everything that is known about the run beside them.

    Parameters
    ----------
    predictions
        As :func:`~wslbench.evaluation.predictions.complete_predictions` returns them.
    units
        The outcome of every (fold, seed).
    floors
        As :func:`~wslbench.evaluation.floors.committed_floors` returns them.
    warnings
        What the reader of the result should know besides.
    device
        The torch device that the method was told to use.

    Raises
    ------
    ResultError
        If the predictions are incomplete, or the units are not those of the predictions.
    """
    seeds = sorted({int(seed) for seed in predictions["seed"]})
    _check_units(problem, seeds, units)
    resamples = draw_resamples(problem)
    scores = score(problem, predictions, resamples)
    others = {name: floor for name, floor in floors.found.items() if name != method.name}
    floor_scores = {name: score(problem, floor.predictions, resamples) for name, floor in others.items()}
    lift, notes = _lift(problem, method, scores, floor_scores)
    return ResultRecord(
        method=method,
        task=_task_record(problem, resamples),
        status=overall_status(units),
        tier=TIER,
        created=datetime.now(UTC),
        seeds=seeds,
        coverage=1 - sum(unit.uncovered for unit in units) / max(1, sum(unit.models for unit in units)),
        failed_share=float(predictions["failed"].mean()),
        metrics=_estimates(scores.metrics),
        per_phase={phase: _estimates(values) for phase, values in scores.per_phase.items()},
        per_fold={
            str(fold): {name: finite(float(values.mean())) for name, values in metrics.items()}
            for fold, metrics in scores.per_fold.items()
        },
        worst_phase=_worst_phase(problem, scores),
        confusion=_confusion(problem, scores),
        absent_phases={str(fold): list(phases) for fold, phases in problem.absent.items() if phases},
        left_out=int((~problem.scored).sum()),
        floors={name: _estimates(values.metrics) for name, values in floor_scores.items()},
        ceilings={
            name: {metric: estimate(draws[None]) for metric, draws in metrics.items()}
            for name, metrics in ceilings(problem, resamples).items()
        },
        lift=lift,
        cost=cost_of(units),
        units=sorted(units, key=lambda unit: (unit.seed, unit.fold)),
        environment=environment(device),
        provenance=Provenance(
            **problem.hashes._asdict(),
            method=method.source_hash,
            predictions=hash_predictions(with_context(problem, predictions)),
            evaluator=f"wslbench {__version__}, scoring {SCORING_VERSION}",
            floors={name: floor.provenance for name, floor in others.items()},
            resamples=len(resamples.weights) - 1,
            resampling_seed=resamples.seed,
        ),
        warnings=[*warnings, *(_unless_own(floors.warnings, method.name)), *notes],
    )


def _check_units(problem: Problem, seeds: Sequence[int], units: Sequence[UnitOutcome]) -> None:
    expected = sorted((seed, fold) for seed in seeds for fold in problem.folds)
    if sorted((unit.seed, unit.fold) for unit in units) != expected:
        raise ResultError(f"The units of {problem.task.id} are not one for each of its folds and seeds.")


def _unless_own(warnings: Sequence[str], method: str) -> list[str]:
    """Floor warnings, without the one that a floor's own result is not there yet."""
    return [text for text in warnings if not text.startswith(f"The floor {method} ")]


def _task_record(problem: Problem, resamples: Resamples) -> TaskRecord:
    task = problem.task
    return TaskRecord(
        id=task.id,
        zoo=task.zoo,
        kind=task.kind,
        target=task.target,
        protocol=task.protocol,
        transform=task.transform,
        headline=task.headline,
        label=task.label,
        unit=problem.unit,
        models=len(problem.table),
        cells=int(problem.table["cell_id"].nunique()),
        units=len(resamples.units),
    )


def overall_status(units: Sequence[UnitOutcome]) -> Status:
    """``ok`` where every unit is, else what went wrong first."""
    ordered = sorted(units, key=lambda unit: (unit.seed, unit.fold))
    return next((unit.status for unit in ordered if unit.status != "ok"), "ok")


def _lift(
    problem: Problem, method: MethodInfo, scores: Scores, floors: Mapping[str, Scores]
) -> tuple[Lift | None, list[str]]:
    """Paired over the best legal floor; none for a floor itself, or where a floor is missing (that would flatter)."""
    if method.name in LEGAL_FLOORS:
        return None, []
    missing = [name for name in LEGAL_FLOORS if name not in floors]
    if missing:
        return None, [
            f"No lift is given: it is taken over the best of all floors, and {', '.join(missing)} is missing."
        ]
    metric = problem.task.headline
    sign = 1 if METRICS[metric].higher_is_better else -1
    best = max(LEGAL_FLOORS, key=lambda name: sign * floors[name].draws(metric)[0])
    difference = interval(sign * (scores.draws(metric) - floors[best].draws(metric)))
    value, low, high = (finite(number) for number in difference)
    return Lift(value=value, low=low, high=high, metric=metric, over=best), []


def _estimates(metrics: Mapping[str, FloatArray]) -> dict[str, Estimate]:
    return {name: estimate(draws) for name, draws in metrics.items()}


def estimate(draws: FloatArray) -> Estimate:
    """An estimate from draws ``[seeds, 1 + resamples]``."""
    value, low, high = (finite(number) for number in interval(draws.mean(axis=0)))
    spread = float(draws[:, 0].std(ddof=1)) if len(draws) > 1 else math.nan
    return Estimate(value=value, low=low, high=high, seed_sd=finite(spread))


def finite(value: float) -> float | None:
    """A number, or null where JSON knows none."""
    return value if math.isfinite(value) else None


def _worst_phase(problem: Problem, scores: Scores) -> WorstPhase | None:
    metric = "recall" if problem.is_classification else "mae_over_sd"
    sign = -1 if METRICS[metric].higher_is_better else 1
    values = {phase: float(draws[metric][:, 0].mean()) for phase, draws in scores.per_phase.items()}
    values = {phase: value for phase, value in values.items() if math.isfinite(value)}
    if not values:
        return None
    phase = max(values, key=lambda name: sign * values[name])
    return WorstPhase(phase=phase, metric=metric, value=values[phase])


def _confusion(problem: Problem, scores: Scores) -> Confusion | None:
    if scores.confusion is None:
        return None
    return Confusion(classes=list(problem.classes), counts=scores.confusion.tolist())


def cost_of(units: Sequence[UnitOutcome]) -> Cost:
    """What the units took together."""
    return Cost(
        fit_seconds=_seconds_a_seed({(unit.seed, unit.fold): unit.fit_seconds for unit in units}),
        predict_seconds=_seconds_a_seed({(unit.seed, unit.fold): unit.predict_seconds for unit in units}),
        peak_memory_bytes=max((u.peak_memory_bytes for u in units if u.peak_memory_bytes is not None), default=None),
        parameters=max((u.parameters for u in units if u.parameters is not None), default=None),
    )


def _seconds_a_seed(seconds: Mapping[tuple[int, int], float | None]) -> float | None:
    """Mean over seeds of the sum over folds; folds that never got so far add nothing."""
    sums: dict[int, float] = {}
    for (seed, _), value in seconds.items():
        if value is not None:
            sums[seed] = sums.get(seed, 0.0) + value
    return fmean(sums.values()) if sums else None
