"""From judged networks and unit outcomes to the immutable record of one generator on one task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from wslbench import __version__
from wslbench.errors import ResultError
from wslbench.evaluation.environment import environment
from wslbench.evaluation.generators.generation_scorer import GenerationScorer, hash_networks, track_of
from wslbench.evaluation.generators.reference import Reference
from wslbench.evaluation.generators.scoring import SCORING_VERSION
from wslbench.evaluation.predictions import write_predictions
from wslbench.evaluation.record import cost_of, coverage_of, overall_status
from wslbench.evaluation.record_files import write_record
from wslbench.evaluation.result_schema import MethodInfo, Provenance, ResultRecord, UnitOutcome
from wslbench.evaluation.tier import TIER, Tier
from wslbench.generation.lift import RESAMPLES


def build_generation_record(
    reference: Reference,
    table: pd.DataFrame,
    method: MethodInfo,
    units: Sequence[UnitOutcome],
    warnings: Sequence[str] = (),
    device: str = "cpu",
    tier: Tier = TIER,
) -> ResultRecord:
    """Score a generator's judged networks and put everything that is known about the run beside them.

    Raises
    ------
    ResultError
        If the table is not one of judged networks, or there are no comparators to hold them against.
    """
    scorer = GenerationScorer(reference)
    findings = scorer.findings(method, table, scorer.score(table), len(units))
    return ResultRecord(
        **dict(findings),
        method=method,
        status=overall_status(units),
        tier=tier,
        created=datetime.now(UTC),
        seeds=sorted(unit.seed for unit in units),
        coverage=coverage_of(units),
        cost=cost_of(units),
        units=sorted(units, key=lambda unit: unit.seed),
        environment=environment(device, [reference.problem.zoo]),
        provenance=Provenance(
            **scorer.hashes._asdict(),
            method=method.source_hash,
            predictions=hash_networks(table),
            evaluator=f"wslbench {__version__}, judge {reference.comparators.judge}",
            scoring=SCORING_VERSION,
            floors={},
            resamples=RESAMPLES,
            resampling_seed=reference.scale(track_of(method)).seed,
        ),
        warnings=[*warnings, *scorer.notes(method, table, findings.lift)],
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
