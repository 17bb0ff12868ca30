"""Taking results into a leaderboard: only what stands comes in, and everything that does not is named.

The predictions are what counts: every number of a record is worked out from them again, against the zoo's own targets
and the floors of the leaderboard that the result is to join. No code of a submission is run, and nothing is unpickled.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wslbench.errors import ResultError, WslbenchError
from wslbench.evaluation.audit_files import AUDIT_FOLDER, audit_path
from wslbench.evaluation.record_files import text_of
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.copies import Taken
from wslbench.leaderboard.results import TaskChecker, audit_of, records_in
from wslbench.leaderboard.strays import strays
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

    Audits may follow later, alone or beside results that are there already.

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
    adding = _Adding(destination, book, open_zoo, replace, dry_run)
    files = [(records_of(source), lone_audits(source)) for source in sources]
    for path in (path for records, _ in files for path in records):
        adding.result(path)
    for audit in (audit for _, audits in files for audit in audits):
        adding.lone_audit(audit)
    for source in sources:
        adding.found.refused.extend(strays(source, adding.audits, of_method=_is_method(source)))
    return adding.found


class _Adding:
    """One call: what has been looked at, and what came of it."""

    def __init__(
        self, destination: Path, book: TaskBook, open_zoo: Callable[[str], Zoo], replace: bool, dry_run: bool
    ) -> None:
        self.found = Added()
        self.audits: set[Path] = set()  # that came alone, of a result that is there
        self._destination, self._book, self._open_zoo = destination, book, open_zoo
        self._replace, self._dry_run = replace, dry_run
        self._zoos: dict[str, Zoo] = {}
        self._checkers: dict[str, TaskChecker] = {}
        self._taken, self._sent = Taken(destination), dict[Path, Path]()

    def result(self, path: Path) -> None:
        """Take one result in, with its audit."""
        target = self._destination / path.parent.name / path.name
        try:
            record = self._record(path)
            if path.read_text(encoding="utf-8") != text_of(record):
                raise ResultError(
                    "it was scored by older rules or beside other floors, or edited by hand; "
                    "`wslbench leaderboard rescore DIR` scores it anew."
                )
            _check_audit(record, path)
            if target in self._sent and not _same_result(path, self._sent[target]):
                raise ResultError(
                    f"{self._sent[target]} is of the same method and task and is another; send one of them."
                )
            if target in self._sent or _same_result(path, target):
                self._sent[target] = path
                self.found.unchanged.append(str(target))
                self._audit(audit_path(path), audit_path(target))
                return
            self._may_replace(target)
            original = self._taken.original(record, path)
            if original is not None:
                raise ResultError(f"it is the result of {original.parent.name} under another name: {original}.")
        except WslbenchError as error:
            self.found.refused.append(f"{path}: {error}")
            return
        self._taken.take(record, path)
        self._sent[target] = path
        if not self._dry_run:
            _drop_stale_audit(record, audit_path(target))
            # Predictions first: a record never stands without them.
            tables = path.with_suffix(".parquet"), target.with_suffix(".parquet")
            _copy([tables, (path, target), (audit_path(path), audit_path(target))])
        self.found.added.append(str(target))

    def lone_audit(self, audit: Path) -> None:
        """Take an audit in whose result is there or was sent too; one of no result is left to be named as a stray."""
        target = self._destination / audit.parent.parent.name / audit.name
        result = self._sent.get(target, target)  # what was sent is the one that counts, also before it is written
        if not result.exists():
            return
        self.audits.add(audit)
        try:
            audit_of(self._record(result), audit)
        except WslbenchError as error:
            self.found.refused.append(f"{audit}: {error}")
            return
        self._audit(audit, audit_path(target))

    def _record(self, path: Path) -> ResultRecord:
        task = self._book[path.stem]
        if task.id not in self._checkers:
            self._checkers[task.id] = TaskChecker(task, self._open_zoo, self._zoos, self._destination, None)
        return self._checkers[task.id].entry(path).record

    def _audit(self, audit: Path, target: Path) -> None:
        """An audit that stands, of a result that is there."""
        if not audit.is_file():
            return
        if _same(audit, target):
            self.found.unchanged.append(str(target))
            return
        try:
            self._may_replace(target)
        except ResultError as error:
            self.found.refused.append(f"{audit}: {error}")
            return
        if not self._dry_run:
            _copy([(audit, target)])
        self.found.added.append(str(target))

    def _may_replace(self, target: Path) -> None:
        if target.exists() and not self._replace:
            raise ResultError(f"{target} is there already and is another; --replace puts this one in its place.")


def records_of(source: Path) -> list[Path]:
    """Paths of the records in a method's folder, or in a folder of such folders.

    Raises
    ------
    ResultError
        If there is neither one nor an audit.
    """
    found = _records(source) if _is_method(source) else records_in(source)
    if not found and not lone_audits(source):
        raise ResultError(f"There is no result in {source}; `wslbench evaluate METHOD.py --out DIR` writes some.")
    return found


def lone_audits(source: Path) -> list[Path]:
    """Paths of the audits beside which the source has no result."""
    found = sorted(source.glob(f"{'' if _is_method(source) else '*/'}{AUDIT_FOLDER}/*.json"))
    return [path for path in found if not path.name.startswith(".") and not (path.parent.parent / path.name).exists()]


def _records(source: Path) -> list[Path]:
    return sorted(path for path in source.glob("*.json") if not path.name.startswith("."))


def _is_method(source: Path) -> bool:
    """Whether a folder is a method's: records stand in it, and none in folders below, but audits."""
    below = {path.parent.name for path in source.glob("*/*.json") if not path.parent.name.startswith(".")}
    only_audits = below == {AUDIT_FOLDER} and not any(source.glob(f"{AUDIT_FOLDER}/*.parquet"))
    return only_audits or (bool(_records(source)) and below <= {AUDIT_FOLDER})


def _check_audit(record: ResultRecord, path: Path) -> None:
    audit = audit_path(path)
    try:
        audit_of(record, audit)
    except ResultError as error:
        raise ResultError(f"its audit {audit}: {error}") from error


def _drop_stale_audit(record: ResultRecord, audit: Path) -> None:
    """Before a record takes another's place: the audit that was of the other does not stay beside it."""
    try:
        audit_of(record, audit)
    except ResultError:
        try:
            audit.unlink()
        except OSError as error:
            raise ResultError(f"{audit} cannot be removed: {error}") from error


def _same(path: Path, target: Path) -> bool:
    return target.is_file() and path.read_bytes() == target.read_bytes()


def _same_result(path: Path, target: Path) -> bool:
    return _same(path, target) and _same(path.with_suffix(".parquet"), target.with_suffix(".parquet"))


def _copy(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Each file to its place, whole or not at all, in this order; a source that is not there is passed over."""
    for path, target in pairs:
        try:
            if path.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as temporary:
                    shutil.copyfile(path, temporary)
        except OSError as error:
            raise ResultError(f"{target} cannot be written: {error}") from error
