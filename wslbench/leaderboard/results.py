"""Reading results for the board: what stands, by task, and what is wrong with the rest; nothing is dropped unnamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wslbench.bundled import bundled_path
from wslbench.errors import ResultError, TaskError, WslbenchError, ZooError
from wslbench.evaluation.audit_files import audit_path, read_audit
from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.floors import FLOORS
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.evaluation.scorers import Scorer, scorer_of, scoring_version
from wslbench.leaderboard.checked_before import CheckedBefore, Known, digest_of
from wslbench.leaderboard.checking import Entry, checked, read_named
from wslbench.leaderboard.copies import Given, copies_among
from wslbench.leaderboard.notes import mixed_versions, scored_anew
from wslbench.leaderboard.strays import strays
from wslbench.leaderboard.verifications import Verifications
from wslbench.tasks import Task, TaskBook
from wslbench.zoo import Zoo


@dataclass(frozen=True)
class TaskEntries:
    """Everything that stands for one task."""

    task: Task
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Results:
    """All results that were found.

    Attributes
    ----------
    tasks
        Those that stand, by task.
    problems
        What is wrong with the others: they are not shown.
    notes
        What should be known of those that are shown.
    refused
        Those of the problems that keep a record from being shown, by the name of its method's folder.
    """

    tasks: Sequence[TaskEntries]
    problems: Sequence[str]
    notes: Sequence[str] = ()
    refused: Mapping[str, Sequence[str]] = field(default_factory=dict)


def read_results(
    folders: Sequence[Path],
    book: TaskBook,
    tasks: Iterable[Task],
    open_zoo: Callable[[str], Zoo],
    *,
    floors: Path | None = None,
    verified: Path | None = None,
    cache: Path | None = None,
) -> Results:
    """Read and check the results of some tasks.

    Parameters
    ----------
    folders
        Each laid out as ``<method>/<task id>.json``. Where a method has a result for a task in several, the one in the
        earliest folder is shown.
    open_zoo
        Opens a zoo by name, such as :func:`wslbench.load_zoo`.
    floors
        Folder of results in which the floors are found. Where None: the committed results if they have floors for a
        task, else the first of ``folders`` that has.
    verified
        Folder of verified results. Where None: the committed one if the committed results are among ``folders``.
    cache
        Folder in which to remember which results stand; they are scored once then.

    Raises
    ------
    ResultError
        If a folder does not exist.
    """
    wanted = list(tasks)
    problems: list[str] = []
    paths = [path for folder in folders for path in records_in(folder)]
    problems += [line for folder in folders for line in strays(folder)]
    refused: dict[str, list[str]] = {}

    def refuse(path: Path, why: object) -> None:
        problems.append(f"{path}: {why}")
        refused.setdefault(path.parent.name, []).append(problems[-1])

    for path in paths:
        if path.stem not in book.tasks:
            refuse(path, f"there is no task {path.stem!r} (any more).")
    by_task: dict[str, list[Path]] = {}
    for path in paths:
        by_task.setdefault(path.stem, []).append(path)
    zoos: dict[str, Zoo] = {}
    verifications = Verifications(verified or _verified_beside(folders), book, cache)
    found, notes = [], []
    for task in wanted:
        checker = TaskChecker(task, open_zoo, zoos, floors or _with_floors(task, folders), cache)
        entries: dict[str, Entry] = {}
        shown: dict[str, Path] = {}
        for path in by_task.get(task.id, []):
            if path.parent.name in entries:
                notes.append(f"{path}: not shown, {shown[path.parent.name]} stands in for it.")
                continue
            try:
                entries[path.parent.name] = checker.entry(path)
            except WslbenchError as error:
                refuse(path, error)
                continue
            shown[path.parent.name] = path
            entry = entries[path.parent.name]
            try:
                entries[path.parent.name] = replace(entry, audit=audit_of(entry.record, audit_path(path)))
            except WslbenchError as error:
                problems.append(f"{audit_path(path)}: {error}")
        checker.save()
        given = {name: Given(entry.record.provenance.predictions, shown[name]) for name, entry in entries.items()}
        notes.extend(copies_among(task.id, given))
        found.append(TaskEntries(task, verifications.beside(task, entries, shown, zoos)))
    notes += [*mixed_versions(found), *scored_anew(found), *verifications.notes]
    return Results(found, [*problems, *verifications.problems], notes, refused)


def _verified_beside(folders: Sequence[Path]) -> Path | None:
    """The committed verifications, which are of committed results."""
    committed = bundled_path("results").resolve()
    return bundled_path("verified") if committed in {folder.resolve() for folder in folders} else None


def records_in(folder: Path) -> list[Path]:
    """Paths of the records in a folder of results.

    Raises
    ------
    ResultError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise ResultError(f"There is no results folder {folder}; `wslbench evaluate METHOD.py --out DIR` writes one.")
    return sorted(path for path in folder.glob("*/*.json") if not path.name.startswith("."))


class TaskChecker:
    """Checks results of one task; its problem is prepared when the first result needs to be scored.

    Parameters
    ----------
    zoos
        Those that are open already, to which it adds.
    floors
        Folder of results in which the floors are found.
    cache
        Folder in which to remember which results stand.
    """

    def __init__(
        self, task: Task, open_zoo: Callable[[str], Zoo], zoos: dict[str, Zoo], floors: Path, cache: Path | None
    ) -> None:
        self._task, self._open_zoo, self._zoos, self._floors, self._cache = task, open_zoo, zoos, floors, cache
        self._scorer: Scorer | None = None
        self._before: CheckedBefore | None = None

    def entry(self, path: Path) -> Entry:
        """The result at a path.

        Raises
        ------
        ResultError
            If it does not stand; or if it cannot be checked, since the zoo is not there or the task does not fit it.
        """
        record = read_named(path)
        before, digest = self._known(), digest_of(path)
        known = before.get(digest)
        if known is not None:
            return Entry(record, known.draws, known.tail, known.points)
        entry = checked(record, path, self._scored(), scoring_version(self._task))
        if entry.record == record:
            before.put(digest, Known(entry.draws, entry.tail, entry.points))
        return entry

    def save(self) -> None:
        """Keep what was found out."""
        if self._before is not None:
            self._before.save()

    def _known(self) -> CheckedBefore:
        if self._before is None:
            self._before = CheckedBefore(self._cache, self._task, self._opened(), self._floors)
        return self._before

    def _scored(self) -> Scorer:
        if self._scorer is None:
            try:
                self._scorer = scorer_of(self._task, self._opened(), self._floors)
            except (ZooError, TaskError) as error:
                raise ResultError(f"it cannot be checked: {error}") from error
        return self._scorer

    def _opened(self) -> list[Zoo]:
        try:
            for name in self._task.zoos:
                if name not in self._zoos:
                    self._zoos[name] = self._open_zoo(name)
        except (ZooError, TaskError) as error:
            raise ResultError(f"it cannot be checked: {error}") from error
        opened = [self._zoos[name] for name in self._task.zoos]
        for zoo in opened:
            if zoo.card.synthetic:
                raise ResultError(
                    f"the zoo {zoo.name} is synthetic: its networks were never trained, and no result on it is shown."
                )
        return opened


def _with_floors(task: Task, folders: Sequence[Path]) -> Path:
    committed = bundled_path("results")
    having = (folder for folder in (committed, *folders) if (folder / FLOORS[0] / f"{task.id}.json").is_file())
    return next(having, committed)


def audit_of(record: ResultRecord, path: Path) -> AuditRecord | None:
    """The audit that belongs to a result, which stands already; None where there is none.

    Raises
    ------
    ResultError
        If there is one that cannot be read, is of something else, or is stale.
    """
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
