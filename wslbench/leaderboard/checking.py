"""Whether one result stands: it reads, answers the task of today, and its numbers follow from its answers.

What follows from the answers is worked out again and compared, field by field; a record that says otherwise is
refused. A record of an older scoring version, or beside other floors, is not compared but scored anew: what is shown
always follows from the answers, by the rules of today. What an evaluation declares and nothing can confirm (the
method, cost, status and isolation tier of its units) has to agree with itself at least.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import ResultError
from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.findings import Findings
from wslbench.evaluation.floors import stale_hashes
from wslbench.evaluation.predictions import read_predictions
from wslbench.evaluation.record import cost_of, coverage_of, overall_status
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.evaluation.scorers import Scorer
from wslbench.leaderboard.points import Points, points_of
from wslbench.leaderboard.verified import Verified

FloatArray = npt.NDArray[np.float64]

Anew = Literal["rules", "floors"]

_NAMED: Final = 3  # of the fields that differ


@dataclass(frozen=True)
class Entry:
    """A result that stands.

    Attributes
    ----------
    record
        With its numbers by the rules of today.
    draws
        The headline on the task and on each of its resamples ``[1 + resamples]``, mean over seeds.
    tail
        Share of the resamples beyond either end of an interval.
    points
        What a picture of its answers shows.
    audit
        Its audit, if there is a current one.
    anew
        Why the numbers are not those of its file: the record is of older ``rules`` of scoring, or stands beside other
        ``floors``. None where they are.
    verified
        The same method on networks that nobody had seen, if it was verified.
    """

    record: ResultRecord
    draws: FloatArray
    tail: float
    points: Points | None = None
    audit: AuditRecord | None = None
    anew: Anew | None = None
    verified: Verified | None = None


def read_named(path: Path) -> ResultRecord:
    """The record at ``<method>/<task id>.json``.

    Raises
    ------
    ResultError
        If it cannot be read, or is of another method or task than its path says.
    """
    record = read_record(path)
    if record.method.name != path.parent.name or record.task.id != path.stem:
        raise ResultError(f"the record is of {record.method.name} on {record.task.id}, not of its file's name.")
    return record


def checked(record: ResultRecord, path: Path, scorer: Scorer, version: int, *, verified: bool = False) -> Entry:
    """A record, if it stands.

    Parameters
    ----------
    version
        Of the scoring rules of today.
    verified
        Whether it is a result on a re-grown zoo: these say that they were verified, and no others do.

    Raises
    ------
    ResultError
        If it does not; the message says what is wrong with it.
    """
    stale = stale_hashes(record, scorer.hashes)
    if stale:
        raise ResultError(f"stale: it was made with another {' and '.join(stale)}; evaluate the method again.")
    if record.tier == "verified" and not verified:
        raise ResultError("it says that it was verified, which a result on a public zoo cannot be.")
    if verified and record.tier != "verified":
        raise ResultError(f"it was not verified: its units ran in the tier {record.tier}.")
    if record.provenance.scoring > version:
        raise ResultError(
            f"it was scored by version {record.provenance.scoring} of the rules, and this wslbench knows {version}: "
            "update wslbench."
        )
    answers = read_predictions(path.with_suffix(".parquet"))
    if _hash(answers, scorer) != record.provenance.predictions:
        raise ResultError("the predictions beside it are not those that the record was made from.")
    scores = scorer.score(answers)
    findings = scorer.findings(record.method, answers, scores, len(record.seeds))
    beside = scorer.floors_beside(record.method.name)
    declared = _declared(record, answers)
    anew: Anew | None = (
        "rules" if record.provenance.scoring < version else "floors" if record.provenance.floors != beside else None
    )
    if anew is None:
        declared += [f"{name} does not follow from its predictions" for name in differing(record, findings)]
    if declared:
        more = f", and {len(declared) - _NAMED} more" if len(declared) > _NAMED else ""
        raise ResultError(f"the record does not agree with itself: {'; '.join(declared[:_NAMED])}{more}.")
    provenance = record.provenance.model_copy(update={"scoring": version, "floors": beside})
    shown = record.model_copy(update={**dict(findings), "provenance": provenance})
    points = points_of(record.task.kind, answers, scores)
    return Entry(shown, scores.draws(record.task.headline), scores.tail, points, anew=anew)


def differing(record: ResultRecord, findings: Findings) -> list[str]:
    """Fields of a record that are not what its answers say, such as ``metrics.kendall_tau.value``."""
    said = record.model_dump(include=set(Findings.model_fields))
    return list(_differences(said, findings.model_dump(), ""))


def agree(said: Any, follows: Any) -> bool:
    """Whether two values of JSON's kinds are the same, numbers within rounding."""
    return not list(_differences(said, follows, "it"))


def _hash(answers: pd.DataFrame, scorer: Scorer) -> str:
    try:
        return scorer.hash_of(answers)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(f"the predictions beside it are not a table of answers: {error}.") from error


def _declared(record: ResultRecord, answers: pd.DataFrame) -> list[str]:
    """What a record says of its method and units that does not add up."""
    units = record.units
    wrong = []
    if record.method.source_hash != record.provenance.method:
        wrong.append("method.source_hash and provenance.method are of two files")
    if sorted({unit.seed for unit in units}) != sorted(record.seeds) or len(
        {(unit.seed, unit.fold) for unit in units}
    ) != len(units):
        wrong.append("its units are not one for each fold and seed")
    elif not set(answers["seed"].astype(int)) <= set(record.seeds):
        wrong.append("its predictions are of other seeds")
    for name, told, follows in (
        ("status", record.status, overall_status(units)),
        ("coverage", record.coverage, coverage_of(units)),
        ("cost", record.cost.model_dump(), cost_of(units).model_dump()),
    ):
        if list(_differences(told, follows, name)):
            wrong.append(f"{name} does not follow from its units")
    return wrong


def _differences(said: Any, follows: Any, place: str) -> Iterator[str]:
    """Where two values of JSON's kinds are not the same, numbers within rounding."""
    if isinstance(said, dict) and isinstance(follows, dict):
        for name in dict.fromkeys([*said, *follows]):
            inside = f"{place}.{name}" if place else str(name)
            if name in said and name in follows:
                yield from _differences(said[name], follows[name], inside)
            else:
                yield inside
    elif _is_list(said) and _is_list(follows) and len(said) == len(follows):
        for number, (one, other) in enumerate(zip(said, follows, strict=True)):
            yield from _differences(one, other, f"{place}[{number}]")
    elif _is_number(said) and _is_number(follows):
        if not math.isclose(said, follows, rel_tol=1e-6, abs_tol=1e-9):
            yield place
    elif said != follows:
        yield place


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
