"""Where results stand on disk: ``<folder>/<method>/<task id>.json``, and the predictions beside it as parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from wslbench.errors import ResultError
from wslbench.evaluation.older_results import upgraded
from wslbench.evaluation.predictions import hash_predictions, with_context, write_predictions
from wslbench.evaluation.record_files import read_record_of, write_record
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.tasks import Problem


def write_result(record: ResultRecord, problem: Problem, predictions: pd.DataFrame, folder: Path) -> Path:
    """Write a record and its predictions under ``folder``; each file appears whole or not at all.

    Returns
    -------
    The path of the record. It is written last: a record never stands without its predictions.

    Raises
    ------
    ResultError
        If the predictions are not those that the record was made from, or the folder cannot be written.
    """
    table = with_context(problem, predictions)
    if hash_predictions(table) != record.provenance.predictions:
        raise ResultError(f"The predictions are not those that the record of {record.task.id} was made from.")
    path = folder / record.method.name / f"{record.task.id}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_predictions(table, path.with_suffix(".parquet"))
    except OSError as error:
        raise ResultError(f"The result {path} cannot be written: {error}") from error
    write_record(record, path, "result")
    return path


def read_record(path: Path) -> ResultRecord:
    """Read one record, of this schema or an older one.

    Raises
    ------
    ResultError
        If the file cannot be read or is not a record of any schema so far; the message names the first wrong field.
    """
    return read_record_of(ResultRecord, path, "result", upgraded)
