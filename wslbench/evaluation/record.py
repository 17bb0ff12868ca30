"""From predictions and unit outcomes to the immutable record of one method on one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean

import pandas as pd

from wslbench import __version__
from wslbench.errors import ResultError
from wslbench.evaluation.environment import environment
from wslbench.evaluation.floors import Floors
from wslbench.evaluation.predictions import with_context
from wslbench.evaluation.result_schema import Cost, MethodInfo, Provenance, ResultRecord, Status, UnitOutcome
from wslbench.evaluation.task_scorer import TaskScorer
from wslbench.evaluation.tier import TIER, Tier
from wslbench.tasks import Problem
from wslbench.zoo import Zoo

# Raised whenever the same predictions would get other numbers. 2: intervals over few units are wider than percentiles.
SCORING_VERSION = 2


def build_record(
    problem: Problem,
    predictions: pd.DataFrame,
    method: MethodInfo,
    units: Sequence[UnitOutcome],
    floors: Floors,
    warnings: Sequence[str] = (),
    device: str = "cpu",
    tier: Tier = TIER,
    zoos: Sequence[Zoo] = (),
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
    tier
        The isolation tier in which the units ran.
    zoos
        Those of the problem.

    Raises
    ------
    ResultError
        If the predictions are incomplete, or the units are not those of the predictions.
    """
    scorer = TaskScorer(problem, floors)
    seeds = sorted({int(seed) for seed in predictions["seed"]})
    _check_units(problem, seeds, units)
    findings = scorer.findings(method, predictions, scorer.score(predictions))
    return ResultRecord(
        **dict(findings),
        method=method,
        status=overall_status(units),
        tier=tier,
        created=datetime.now(UTC),
        seeds=seeds,
        coverage=coverage_of(units),
        cost=cost_of(units),
        units=sorted(units, key=lambda unit: (unit.seed, unit.fold)),
        environment=environment(device, zoos),
        provenance=Provenance(
            **problem.hashes._asdict(),
            method=method.source_hash,
            predictions=scorer.hash_of(with_context(problem, predictions)),
            evaluator=f"wslbench {__version__}",
            scoring=SCORING_VERSION,
            floors=scorer.floors_beside(method.name),
            resamples=len(scorer.resamples.weights) - 1,
            resampling_seed=scorer.resamples.seed,
        ),
        warnings=[*warnings, *scorer.notes(method.name)],
    )


def _check_units(problem: Problem, seeds: Sequence[int], units: Sequence[UnitOutcome]) -> None:
    expected = sorted((seed, fold) for seed in seeds for fold in problem.folds)
    if sorted((unit.seed, unit.fold) for unit in units) != expected:
        raise ResultError(f"The units of {problem.task.id} are not one for each of its folds and seeds.")


def overall_status(units: Sequence[UnitOutcome]) -> Status:
    """``ok`` where every unit is, else what went wrong first."""
    ordered = sorted(units, key=lambda unit: (unit.seed, unit.fold))
    return next((unit.status for unit in ordered if unit.status != "ok"), "ok")


def coverage_of(units: Sequence[UnitOutcome]) -> float:
    """Share of the models that the method supports."""
    return 1 - sum(unit.uncovered for unit in units) / max(1, sum(unit.models for unit in units))


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
