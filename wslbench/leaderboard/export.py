"""The board as plain data: what every table and page is made from, and what ``board.json`` holds.

Numbers are not rounded here, but for points of pictures, which have as many digits as an eye can use. NaN and
infinities, which JSON does not know, are null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import wslbench
from wslbench.evaluation.bootstrap import Interval
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.leaderboard.aggregate import Aggregate, aggregates
from wslbench.leaderboard.board import Board, TaskBoard
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.points import Points
from wslbench.leaderboard.rows import role_of, tier_of
from wslbench.leaderboard.verified import Verified
from wslbench.tasks import PHASES
from wslbench.tasks.metrics.registry import METRICS

FORMAT: Final = 1

Data = dict[str, Any]


def board_data(board: Board, together: Mapping[str, Aggregate | None] | None = None) -> Data:
    """Everything on the board.

    Parameters
    ----------
    together
        What :func:`~wslbench.leaderboard.aggregate.aggregates` says of this board, where it is known already.

    Returns
    -------
    A dictionary of JSON's kinds, with

    * ``metrics``: by name, ``label``, ``higher_is_better``, ``description``;
    * ``phases``: names, which points' ``phase`` is an index into (−1: none);
    * ``suites``: ids of tasks that have results, by suite;
    * ``methods``: by name, ``role`` (method, floor, oracle), ``description``, ``file``, ``class_name``, ``privilege``,
      ``source_hash``, ``tasks`` (how many have a result);
    * ``tasks``: in order, what was asked, and ``rows``, best first, failures last; an estimate is
      ``[value, low, high, seed_sd]``; ``verified`` is the headline on a re-grown zoo (``regrown``, and ``refitted``
      where the method was fit there, too) and the ``gap``; ``true`` has ``x`` and ``phase`` of those rows' ``points``
      that lack them;
    * ``aggregates``: by suite, mean ranks and probabilities of improvement;
    * ``problems``: what was found and is not shown; ``notes``: what should be known of what is shown.
    """
    shown = [task for task in board.tasks if task.entries]
    ids = [task.task.id for task in shown]
    suites = {name: [task for task in ids if task in set(members)] for name, members in board.suites.items()}
    return {
        "format": FORMAT,
        "wslbench": wslbench.__version__,
        "metrics": {
            name: {
                "label": metric.label,
                "higher_is_better": metric.higher_is_better,
                "description": metric.description,
            }
            for name, metric in METRICS.items()
        },
        "phases": list(PHASES),
        "suites": {name: members for name, members in suites.items() if members},
        "methods": _methods(shown),
        "tasks": [_task(task) for task in shown],
        "aggregates": {
            name: _aggregate(found)
            for name, found in (aggregates(board) if together is None else together).items()
            if found is not None
        },
        "problems": list(board.problems),
        "notes": list(board.notes),
    }


def _methods(boards: Sequence[TaskBoard]) -> Data:
    found: dict[str, Data] = {}
    for board in boards:
        for record in board.records:
            method = record.method
            about = found.setdefault(
                method.name,
                {
                    "role": role_of(record),
                    "description": method.description,
                    "class_name": method.class_name,
                    "file": method.file,
                    "privilege": method.privilege,
                    "source_hash": method.source_hash,
                    "tasks": 0,
                },
            )
            about["tasks"] += 1
    return {name: found[name] for name in sorted(found)}


def _task(task: TaskBoard) -> Data:
    record, asked = task.records[0], task.task
    # True values are the same for every method: written once, half a large board's numbers less.
    true = next((entry.points for entry in task.entries if entry.points is not None), None)
    return {
        "id": asked.id,
        "zoo": asked.zoo,
        "tested_on": asked.tested_on,
        "kind": asked.kind,
        "target": asked.target,
        "protocol": asked.protocol,
        "transform": asked.transform,
        "label": asked.label,
        "description": asked.description,
        "headline": asked.headline,
        "unit": record.task.unit,
        "models": record.task.models,
        "cells": record.task.cells,
        "units": record.task.units,
        "left_out": record.left_out,
        "absent_phases": record.absent_phases,
        "resolvable": task.standings.resolvable,
        "ceilings": {name: _estimates(metrics) for name, metrics in record.ceilings.items()},
        "comparators": _comparators(record),
        "true": None if true is None else {"x": _digits(true.x), "phase": true.phase.tolist()},
        "rows": [_row(entry, task, true) for entry in _ordered(task)],
    }


def _comparators(record: ResultRecord) -> Data:
    """What draws are held against; floors of predictive tasks have rows of their own."""
    if record.task.kind != "weight_generation":
        return {}
    return {name: _estimates(metrics) for name, metrics in record.floors.items()}


def _ordered(task: TaskBoard) -> list[Entry]:
    sign = -1 if METRICS[task.task.headline].higher_is_better else 1

    def place(entry: Entry) -> tuple[bool, float, str]:
        value = entry.record.metrics[task.task.headline].value
        failed = entry.record.status != "ok"
        return failed, math.inf if value is None else sign * value, entry.record.method.name

    return sorted(task.entries, key=place)


def _row(entry: Entry, task: TaskBoard, true: Points | None) -> Data:
    record = entry.record
    elsewhere = task.elsewhere.get(record.method.name, {})
    drawn = entry.draws[1:][np.isfinite(entry.draws[1:])]
    return {
        "method": record.method.name,
        "rank": task.standings.ranks.get(record.method.name),
        "status": record.status,
        "failure": next((unit.message for unit in record.units if unit.status != "ok"), None),
        "tier": tier_of(record, entry.verified),
        "coverage": record.coverage,
        "failed_share": record.failed_share,
        "seeds": record.seeds,
        "metrics": _estimates(record.metrics),
        "sampling_sd": float(np.std(drawn)) if len(drawn) else None,
        "lift": None if record.lift is None else record.lift.model_dump(),
        "worst_phase": None if record.worst_phase is None else record.worst_phase.model_dump(),
        "per_phase": {phase: _estimates(metrics) for phase, metrics in record.per_phase.items()},
        "per_fold": record.per_fold,
        "confusion": None if record.confusion is None else record.confusion.model_dump(),
        "elsewhere": {protocol: _estimate(estimate) for protocol, estimate in elsewhere.items()},
        "verified": None if entry.verified is None else _verified(entry.verified),
        "cost": record.cost.model_dump(),
        "audit": None if entry.audit is None else _audit(entry),
        "points": None if entry.points is None else _points(entry.points, true),
        "created": record.created.isoformat(),
        "device": record.environment.get("device"),
        "warnings": record.warnings,
    }


def _points(points: Points, true: Points | None) -> Data:
    predicted = {"y": _digits(points.y)}
    if true is not None and np.array_equal(points.x, true.x) and np.array_equal(points.phase, true.phase):
        return predicted
    return {"x": _digits(points.x), **predicted, "phase": points.phase.tolist()}


def _digits(values: npt.NDArray[np.float64]) -> list[float]:
    """To a millionth of the largest: a picture has a thousand pixels."""
    largest = float(np.max(np.abs(values), initial=0.0))
    decimals = 6 - math.ceil(math.log10(largest)) if 0 < largest < math.inf else 6
    return list(np.round(values, decimals).tolist())


def _verified(verified: Verified) -> Data:
    record = verified.record
    return {
        "status": record.status,
        "regrown": _estimate(verified.score),
        "gap": _estimate(verified.gap),
        "refitted": _estimate(verified.refitted),
        "memorised": verified.memorised,
        "lift": None if record.lift is None else record.lift.model_dump(),
        "seeds": record.seeds,
        "commitment": verified.card.commitment,
        "drawn": verified.card.drawn.isoformat(),
        "attested_by": verified.card.attested_by,
        "disclosed": verified.card.secret is not None,
    }


def _audit(entry: Entry) -> Data:
    assert entry.audit is not None
    return {
        "status": entry.audit.status,
        "permutation": None if entry.audit.permutation is None else entry.audit.permutation.model_dump(),
        "scaling": None if entry.audit.scaling is None else entry.audit.scaling.model_dump(),
    }


def _aggregate(found: Aggregate) -> Data:
    return {
        "tasks": list(found.tasks),
        "targets": list(found.targets),
        "methods": list(found.methods),
        "contenders": list(found.contenders),
        "partial": dict(found.partial),
        "mean_rank": {name: _interval(ends) for name, ends in found.mean_rank.items()},
        "mean_rank_over_tasks": {name: _interval(ends) for name, ends in found.mean_rank_over_tasks.items()},
        "first": dict(found.first),
        "stability": found.stability,
        "improvement": found.improvement.tolist(),
        "improvement_low": found.improvement_low.tolist(),
        "improvement_high": found.improvement_high.tolist(),
    }


def _estimates(metrics: Mapping[str, Estimate]) -> Data:
    return {name: _estimate(estimate) for name, estimate in metrics.items()}


def _estimate(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high, estimate.seed_sd]


def _interval(ends: Interval) -> list[float | None]:
    return [_finite(value) for value in ends]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
