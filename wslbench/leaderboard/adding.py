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
from wslbench.evaluation.audit_files import audit_path
from wslbench.evaluation.record_files import text_of
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.results import TaskChecker, audit_of, records_in
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
            if _same(path, target):
                found.unchanged.append(str(target))
                continue
            if target.exists() and not replace:
                raise ResultError(f"{target} is there already and is another; --replace puts this one in its place.")
            _refuse_copies(entry.record.method.source_hash, entry.record.provenance.predictions, path, destination)
        except WslbenchError as error:
            found.refused.append(f"{path}: {error}")
            continue
        if not dry_run:
            _copy(path, target)
        found.added.append(str(target))
    for source in sources:
        found.refused.extend(_orphans(source))
    return found


def records_of(source: Path) -> list[Path]:
    """Paths of the records in a method's folder, or in a folder of such folders.

    Raises
    ------
    ResultError
        If there is none.
    """
    own = sorted(path for path in source.glob("*.json") if not path.name.startswith("."))
    found = own or records_in(source)
    if not found:
        raise ResultError(f"There is no result in {source}; `wslbench evaluate METHOD.py --out DIR` writes some.")
    return found


def _orphans(source: Path) -> list[str]:
    """Predictions without a record, as an evaluation that was cut off leaves them."""
    tables = [*source.glob("*.parquet"), *source.glob("*/*.parquet")]
    return [
        f"{path}: there is no record beside these predictions."
        for path in sorted(tables)
        if not path.name.startswith(".") and not path.with_suffix(".json").exists()
    ]


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


def _refuse_copies(source_hash: str, predictions: str, path: Path, destination: Path) -> None:
    """The same file with the same answers under another name is the same method once more."""
    for other in sorted(destination.glob(f"*/{path.name}")):
        if other.parent.name == path.parent.name:
            continue
        try:
            record = read_record(other)
        except ResultError:
            continue
        if (record.method.source_hash, record.provenance.predictions) == (source_hash, predictions):
            raise ResultError(f"it is the result of {other.parent.name} under another name: {other}.")


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
