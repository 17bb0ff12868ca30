"""From judged networks and unit outcomes to the immutable record of one generator on one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench import __version__
from wslbench.errors import ResultError
from wslbench.evaluation.environment import environment
from wslbench.evaluation.generators.networks_table import Track
from wslbench.evaluation.generators.reference import Reference
from wslbench.evaluation.generators.scoring import SCORING_VERSION, score_judgement, score_networks
from wslbench.evaluation.predictions import write_predictions
from wslbench.evaluation.record import cost_of, estimate, overall_status
from wslbench.evaluation.record_files import write_record
from wslbench.evaluation.result_schema import (
    Estimate,
    Lift,
    MethodInfo,
    Provenance,
    ResultRecord,
    TaskRecord,
    UnitOutcome,
)
from wslbench.evaluation.tier import TIER
from wslbench.generation.lift import RESAMPLES
from wslbench.tasks import DRAWN
from wslbench.zoo.hashing import hash_rows

FloatArray = npt.NDArray[np.float64]

REAL = "held_out_networks"


def hash_networks(table: pd.DataFrame) -> str:
    """Hash of the rows, independent of their order and of how parquet stored them."""
    return hash_rows(table, ["seed", "network"])


def build_generation_record(
    reference: Reference,
    table: pd.DataFrame,
    method: MethodInfo,
    track: Track,
    units: Sequence[UnitOutcome],
    warnings: Sequence[str] = (),
    device: str = "cpu",
) -> ResultRecord:
    """Score a generator's judged networks and put everything that is known about the run beside them.

    Floors are the comparators that make the envelope; the ceiling, held-out real networks.

    Raises
    ------
    ResultError
        If the table is not one of judged networks, or there are no comparators to hold them against.
    """
    problem = reference.problem
    scores = score_networks(reference, table)
    lift = estimate(scores.metrics["lift"])
    notes = [] if lift.value is not None or not len(table) else [_no_lift(reference, track)]
    return ResultRecord(
        method=method,
        task=TaskRecord(
            id=problem.task.id,
            zoo=problem.task.zoo,
            kind=problem.task.kind,
            target=problem.task.target,
            protocol=problem.task.protocol,
            transform=problem.task.transform,
            headline=problem.task.headline,
            label=problem.task.label,
            unit="network",
            models=DRAWN,
            cells=int(problem.held_out["cell_id"].nunique()),
            units=DRAWN,
        ),
        status=overall_status(units),
        tier=TIER,
        created=datetime.now(UTC),
        seeds=sorted(unit.seed for unit in units),
        coverage=1 - sum(unit.uncovered for unit in units) / max(1, sum(unit.models for unit in units)),
        failed_share=1 - table["seed"].nunique() / max(1, len(units)),
        metrics=_estimates(scores.metrics),
        per_phase={},
        per_fold={},
        worst_phase=None,
        confusion=None,
        absent_phases={},
        left_out=0,
        floors=_envelope(reference, track),
        ceilings={REAL: _real(reference, track)},
        lift=Lift(value=lift.value, low=lift.low, high=lift.high, metric="accuracy", over="comparators"),
        cost=cost_of(units),
        units=sorted(units, key=lambda unit: unit.seed),
        environment=environment(device),
        provenance=Provenance(
            **problem.hashes._asdict(),
            method=method.source_hash,
            predictions=hash_networks(table),
            evaluator=f"wslbench {__version__}, judge {reference.comparators.judge}, scoring {SCORING_VERSION}",
            floors={},
            resamples=RESAMPLES,
            resampling_seed=reference.scale(track).seed,
        ),
        warnings=[*warnings, f"Track: {track}.", *notes],
    )


def write_generation_result(record: ResultRecord, table: pd.DataFrame, folder: Path) -> Path:
    """Write a record and its judged networks under ``folder``; each file appears whole or not at all.

    Raises
    ------
    ResultError
        If the networks are not those that the record was made from, or the folder cannot be written.
    """
    if hash_networks(table) != record.provenance.predictions:
        raise ResultError(f"The networks are not those that the record of {record.task.id} was made from.")
    path = folder / record.method.name / f"{record.task.id}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_predictions(table, path.with_suffix(".parquet"))
    except OSError as error:
        raise ResultError(f"The result {path} cannot be written: {error}") from error
    write_record(record, path, "result")
    return path


def _no_lift(reference: Reference, track: Track) -> str:
    scale = reference.scale(track)
    ends = scale.envelope.novelty
    return (
        "No lift is given: a draw's novelty lies outside the range of the comparators "
        f"({ends[0]:.2f} to {ends[-1]:.2f}), or its networks are nearest to fewer than "
        f"{scale.least_sources:.1f} train networks, "
        "or real networks do not rise above the comparators."
    )


def _envelope(reference: Reference, track: Track) -> dict[str, dict[str, Estimate]]:
    """The comparators that the envelope hangs on."""
    corners = set(reference.scale(track).envelope.novelty.tolist())
    found: dict[str, dict[str, Estimate]] = {}
    for name, judgement in reference.comparators.comparators.items():
        for number, metrics in enumerate(score_judgement(reference, judgement, track)):
            if float(metrics["novelty"][0]) in corners:
                found[f"{name}, fine-tuned" if number else name] = _estimates({k: v[None] for k, v in metrics.items()})
    return found


def _real(reference: Reference, track: Track) -> dict[str, Estimate]:
    real = reference.comparators.real
    metrics = dict(score_judgement(reference, real, track)[-1])
    phase = reference.comparators.real_phase
    facts = phase.model_dump() | {"phase_fidelity": phase.probability}
    del facts["probability"]
    facts |= {
        "accuracy_finetuned_1": float(np.mean(real.accuracy_finetuned_1)),
        "accuracy_finetuned_5": float(np.mean(real.accuracy_finetuned_5)),
    }
    plain = {name: Estimate(value=value, low=None, high=None) for name, value in facts.items()}
    return _estimates({name: values[None] for name, values in metrics.items()}) | plain


def _estimates(metrics: Mapping[str, FloatArray]) -> dict[str, Estimate]:
    return {name: estimate(draws) for name, draws in metrics.items()}
