"""The floors: committed results of trivial methods that every score is held against.

A floor counts only where it answered exactly the same question: same task, weights, annotations and split, and
predictions that are the ones its record was made from. It is scored anew from its predictions, on the resamples of the
method that it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wslbench.bundled import bundled_path
from wslbench.errors import ResultError
from wslbench.evaluation.predictions import hash_predictions, read_predictions
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import FloorProvenance, ResultRecord
from wslbench.tasks import Hashes, Problem

LEGAL_FLOORS = ("chance", "architecture_only", "decoded_hyperparameters")
ORACLE = "hyperparameters"
FLOORS = (*LEGAL_FLOORS, ORACLE)


class Floor(NamedTuple):
    """One floor's predictions and where they come from."""

    predictions: pd.DataFrame
    provenance: FloorProvenance


class Floors(NamedTuple):
    """The floors that hold for a problem, by name, and why others do not."""

    found: Mapping[str, Floor]
    warnings: list[str]


def floors_folder(task_id: str, own: Path) -> Path:
    """Where the floors of a task stand: among the committed results; of a task of one's own, among one's own results.

    Parameters
    ----------
    own
        The folder that results are written to.
    """
    committed = bundled_path("results")
    shipped = next(committed.glob(f"*/{task_id}.json"), None)  # of any method: generators have comparators for floors
    return own if shipped is None else committed


def committed_floors(problem: Problem, results: Path | None = None) -> Floors:
    """The floors of a problem from the committed results, or from another results folder."""
    folder = bundled_path("results") if results is None else results
    found: dict[str, Floor] = {}
    warnings = []
    for name in FLOORS:
        try:
            found[name] = _read_floor(problem, folder / name / f"{problem.task.id}.json")
        except ResultError as error:
            warnings.append(f"The floor {name} is not used: {error}")
    return Floors(found, warnings)


def stale_hashes(record: ResultRecord, hashes: Hashes) -> list[str]:
    """Which of task, weights, annotations and split differ between a record and a problem."""
    return [name for name, value in hashes._asdict().items() if getattr(record.provenance, name) != value]


def _read_floor(problem: Problem, path: Path) -> Floor:
    if not path.is_file():
        raise ResultError("there is no committed result of it for this task.")
    record = read_record(path)
    stale = stale_hashes(record, problem.hashes)
    if stale:
        raise ResultError(f"its committed result is of another {' and '.join(stale)}; run it again.")
    if record.status != "ok":
        raise ResultError(f"its committed result is a failure ({record.status}).")
    predictions = read_predictions(path.with_suffix(".parquet"))
    if hash_predictions(predictions) != record.provenance.predictions:
        raise ResultError("its committed predictions are not those that its record was made from.")
    return Floor(
        predictions, FloorProvenance(method=record.provenance.method, predictions=record.provenance.predictions)
    )
