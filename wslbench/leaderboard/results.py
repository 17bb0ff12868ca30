"""Reading results for the board, and checking that each one stands: nothing broken or stale is dropped unnamed.

A result counts where its record reads, names the folder and file that it lies in, belongs to the task, zoo and split
of today, and where every one of its metrics follows from the predictions beside it, scored against the zoo's own
annotations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wslbench.errors import ResultError, TaskError, WslbenchError, ZooError
from wslbench.evaluation.audit_files import audit_path, read_audit
from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.bootstrap import draw_resamples
from wslbench.evaluation.floors import stale_hashes
from wslbench.evaluation.predictions import hash_predictions, read_predictions
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.evaluation.scores import Scores
from wslbench.evaluation.scoring import score
from wslbench.tasks import Hashes, Task, TaskBook, prepare, prepare_generation
from wslbench.zoo import Zoo


@dataclass(frozen=True)
class Entry:
    """A result that stands: its record, its scores on the task's resamples, and its audit if there is a current one."""

    record: ResultRecord
    scores: Scores
    audit: AuditRecord | None = None


@dataclass(frozen=True)
class TaskEntries:
    """Everything that stands for one task."""

    task: Task
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Results:
    """All results that were found: those that stand, by task, and what is wrong with the others."""

    tasks: Sequence[TaskEntries]
    problems: Sequence[str]


def read_results(
    folders: Sequence[Path], book: TaskBook, tasks: Iterable[Task], open_zoo: Callable[[str], Zoo]
) -> Results:
    """Read and check the results of some tasks.

    Parameters
    ----------
    folders
        Each laid out as ``<method>/<task id>.json``. Where a method has a result for a task in several, the one in the
        earliest folder is shown.
    open_zoo
        Opens a zoo by name, such as :func:`wslbench.load_zoo`.

    Raises
    ------
    ResultError
        If a folder does not exist.
    """
    wanted = list(tasks)
    problems: list[str] = []
    paths = [path for folder in folders for path in _records_in(folder)]
    problems += [f"{path}: there is no task {path.stem!r} (any more)." for path in paths if path.stem not in book.tasks]
    checked = _Checker(open_zoo)
    found = []
    for task in wanted:
        entries: dict[str, Entry] = {}
        for path in (path for path in paths if path.stem == task.id and path.parent.name not in entries):
            try:
                entries[path.parent.name] = checked.entry(task, path)
            except WslbenchError as error:
                problems.append(f"{path}: {error}")
                continue
            entry = entries[path.parent.name]
            try:
                entries[path.parent.name] = replace(entry, audit=_audit(entry.record, audit_path(path)))
            except WslbenchError as error:
                problems.append(f"{audit_path(path)}: {error}")
        found.append(TaskEntries(task, list(entries.values())))
    return Results(found, problems)


def _records_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ResultError(f"There is no results folder {folder}; `wslbench evaluate METHOD.py --out DIR` writes one.")
    return sorted(path for path in folder.glob("*/*.json") if not path.name.startswith("."))


def _audit(record: ResultRecord, path: Path) -> AuditRecord | None:
    """The audit that belongs to a result, which stands already; None where there is none."""
    if not path.is_file():
        return None
    audit = read_audit(path)
    if audit.method.name != record.method.name or audit.task != record.task.id:
        raise ResultError(f"the audit is of {audit.method.name} on {audit.task}, not of its file's name.")
    wanted = record.provenance
    stale = [name for name in ("task", "weights", "annotations", "split", "method")
             if getattr(audit.provenance, name) != getattr(wanted, name)]  # fmt: skip
    if stale:
        raise ResultError(f"stale: it was made with another {' and '.join(stale)}; audit the method again.")
    return audit


class _Checker:
    """Checks results against problems, each of which is prepared once."""

    def __init__(self, open_zoo: Callable[[str], Zoo]) -> None:
        self._open_zoo = open_zoo
        self._zoos: dict[str, Zoo] = {}
        self._last: tuple[Task, _Scored] | None = None

    def entry(self, task: Task, path: Path) -> Entry:
        """The result at a path, if it stands."""
        record = read_record(path)
        if record.method.name != path.parent.name or record.task.id != path.stem:
            raise ResultError(f"the record is of {record.method.name} on {record.task.id}, not of its file's name.")
        scored = self._scored(task)
        stale = stale_hashes(record, scored.hashes)
        if stale:
            raise ResultError(f"stale: it was made with another {' and '.join(stale)}; evaluate the method again.")
        predictions = read_predictions(path.with_suffix(".parquet"))
        if scored.hash_of(predictions) != record.provenance.predictions:
            raise ResultError("the predictions beside it are not those that the record was made from.")
        scores = scored.score(predictions)
        different = [name for name in {**record.metrics, **scores.metrics} if not _follows(record, scores, name)]
        if different:
            raise ResultError(f"its {', '.join(sorted(different))} does not follow from its predictions.")
        return Entry(record, scores)

    def _scored(self, task: Task) -> _Scored:
        if self._last is None or self._last[0] != task:
            try:
                for name in task.zoos:
                    if name not in self._zoos:
                        self._zoos[name] = self._open_zoo(name)
                self._last = task, _scoring(task, [self._zoos[name] for name in task.zoos])
            except (ZooError, TaskError) as error:
                raise ResultError(f"it cannot be checked: {error}") from error
        return self._last[1]


class _Scored(NamedTuple):
    """How the answers to one task are hashed and scored."""

    hashes: Hashes
    hash_of: Callable[[pd.DataFrame], str]
    score: Callable[[pd.DataFrame], Scores]


def _scoring(task: Task, zoos: Sequence[Zoo]) -> _Scored:
    if task.kind == "weight_generation":
        from wslbench.evaluation.generators.record import hash_networks
        from wslbench.evaluation.generators.reference import Reference
        from wslbench.evaluation.generators.scoring import score_networks

        reference = Reference(prepare_generation(task, *zoos))
        return _Scored(reference.problem.hashes, hash_networks, lambda table: score_networks(reference, table))
    problem = prepare(task, *zoos)
    resamples = draw_resamples(problem)
    return _Scored(problem.hashes, hash_predictions, lambda table: score(problem, table, resamples))


def _follows(record: ResultRecord, scores: Scores, metric: str) -> bool:
    if metric not in record.metrics or metric not in scores.metrics:
        return False
    written, computed = record.metrics[metric].value, float(scores.draws(metric)[0])
    if written is None:
        return not math.isfinite(computed)
    return math.isclose(written, computed, rel_tol=1e-6, abs_tol=1e-9)
