"""Where results stand on disk: ``<folder>/<method>/<task id>.json``, and the predictions beside it as parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from wslbench.errors import ResultError
from wslbench.evaluation.predictions import hash_predictions, with_context, write_predictions
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.tasks import Problem
from wslbench.zoo.atomic import write_text


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
        write_text(path, record.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise ResultError(f"The result {path} cannot be written: {error}") from error
    return path


def read_record(path: Path) -> ResultRecord:
    """Read one record.

    Raises
    ------
    ResultError
        If the file cannot be read or is not a record of this schema; the message names the first wrong field.
    """
    try:
        return ResultRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ResultError(f"The result {path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ResultError(f"The result {path} is not a record of this version: {field}: {first['msg']}.") from error
