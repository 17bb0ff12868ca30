"""Taking results into a leaderboard: only what stands comes in, and everything that does not is named.

The predictions are what counts: every number of a record is worked out from them again, against the zoo's own targets
and the floors of the leaderboard that the result is to join. No code of a submission is run, and nothing is unpickled.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wslbench.errors import ResultError, WslbenchError
from wslbench.evaluation.audit_files import AUDIT_FOLDER, audit_path
from wslbench.evaluation.record_files import text_of
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.copies import Taken
from wslbench.leaderboard.results import TaskChecker, audit_of, records_in
from wslbench.leaderboard.strays import strays, strays_of_method
from wslbench.tasks import TaskBook
from wslbench.zoo import Zoo
from wslbench.zoo.atomic import replacing


@dataclass(frozen=True)
class Added:
    """What came of it, a line a result."""

    added: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def add_results(
    sources: Sequence[Path],
    destination: Path,
    book: TaskBook,
    open_zoo: Callable[[str], Zoo],
    *,
    replace: bool = False,
    dry_run: bool = False,
) -> Added:
    """Check results, and copy those that stand, with their audits.

    Parameters
    ----------
    sources
        Folders of one method (``<task id>.json`` and ``.parquet``), or of several such folders.
    destination
        A folder of results; its floors are what lifts are taken over.
    replace
        Whether a result may take the place of another of the same method and task.
    dry_run
        Check only; nothing is written.

    Raises
    ------
    ResultError
        If a source is not there or holds no result, or the destination cannot be written.
    """
    found = Added()
    zoos: dict[str, Zoo] = {}
    checkers: dict[str, TaskChecker] = {}
    taken, sent = Taken(destination), dict[Path, Path]()
    for path in [path for source in sources for path in records_of(source)]:
        try:
            task = book[path.stem]
            if task.id not in checkers:
                checkers[task.id] = TaskChecker(task, open_zoo, zoos, destination, None)
            entry = checkers[task.id].entry(path)
            if path.read_text(encoding="utf-8") != text_of(entry.record):
                raise ResultError(
                    "it was scored by older rules or beside other floors, or edited by hand; "
                    "`wslbench leaderboard rescore DIR` scores it anew."
                )
            _check_audit(entry.record, path)
            target = destination / path.parent.name / path.name
            if target in sent and not _same(path, sent[target]):
                raise ResultError(f"{sent[target]} is of the same method and task and is another; send one of them.")
            if target in sent or _same(path, target):
                sent[target] = path
                found.unchanged.append(str(target))
                continue
            if target.exists() and not replace:
                raise ResultError(f"{target} is there already and is another; --replace puts this one in its place.")
            original = taken.original(entry.record, path)
            if original is not None:
                raise ResultError(f"it is the result of {original.parent.name} under another name: {original}.")
        except WslbenchError as error:
            found.refused.append(f"{path}: {error}")
            continue
        taken.take(entry.record, path)
        sent[target] = path
        if not dry_run:
            _copy(path, target)
        found.added.append(str(target))
    for source in sources:
        found.refused.extend(strays_of_method(source) if _is_method(source) else strays(source))
    return found


def records_of(source: Path) -> list[Path]:
    """Paths of the records in a method's folder, or in a folder of such folders.

    Raises
    ------
    ResultError
        If there is none.
    """
    found = _records(source) if _is_method(source) else records_in(source)
    if not found:
        raise ResultError(f"There is no result in {source}; `wslbench evaluate METHOD.py --out DIR` writes some.")
    return found


def _records(source: Path) -> list[Path]:
    return sorted(path for path in source.glob("*.json") if not path.name.startswith("."))


def _is_method(source: Path) -> bool:
    """Whether a folder is a method's: records stand in it, and none in folders below, but audits."""
    below = {path.parent.name for path in source.glob("*/*.json") if not path.parent.name.startswith(".")}
    return bool(_records(source)) and below <= {AUDIT_FOLDER}


def _check_audit(record: ResultRecord, path: Path) -> None:
    audit = audit_path(path)
    try:
        audit_of(record, audit)
    except ResultError as error:
        raise ResultError(f"its audit {audit}: {error}") from error


def _same(path: Path, target: Path) -> bool:
    return all(
        other.is_file() and one.read_bytes() == other.read_bytes()
        for one, other in ((path, target), (path.with_suffix(".parquet"), target.with_suffix(".parquet")))
    )


def _copy(path: Path, target: Path) -> None:
    """Predictions first, the record last: a record never stands without its predictions."""
    pairs = [(path.with_suffix(".parquet"), target.with_suffix(".parquet")), (path, target)]
    if audit_path(path).is_file():
        pairs.append((audit_path(path), audit_path(target)))
    try:
        for one, other in pairs:
            other.parent.mkdir(parents=True, exist_ok=True)
            with replacing(other) as temporary:
                shutil.copyfile(one, temporary)
    except OSError as error:
        raise ResultError(f"The result {target} cannot be written: {error}") from error
