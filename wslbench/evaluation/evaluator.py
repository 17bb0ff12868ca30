"""The evaluation of a method on tasks: units run in sealed processes, kept in a journal, scored into records."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from wslbench.errors import ResultError, WslbenchError
from wslbench.evaluation.execution import Execution, Progress, Settings
from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.journal import Journal
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import MethodFile, read_method_file
from wslbench.evaluation.method_info import Declared, inspect_method
from wslbench.evaluation.predictions import complete_predictions
from wslbench.evaluation.record import build_record
from wslbench.evaluation.result_files import write_result
from wslbench.evaluation.result_schema import MethodInfo, Privilege, ResultRecord
from wslbench.evaluation.task_run import TaskRun
from wslbench.tasks import TaskBook, load_tasks, prepare
from wslbench.zoo import load_zoo

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

DEFAULT_SUITE: Final = "quick"


def evaluate(
    method: str | Path,
    tasks: Sequence[str] = (),
    suite: str | None = None,
    seeds: int = 3,
    out: str | Path = "runs",
    settings: Settings | None = None,
    *,
    book: TaskBook | None = None,
    zoos: Mapping[str, Zoo | Path] | None = None,
    floors: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[ResultRecord]:
    """Evaluate a method, write its results, and return their records.

    Every (task, fold, seed) runs in a fresh, sealed process (:mod:`wslbench.evaluation.tier`). Finished units
    are kept in a journal under ``out``; the same call goes on from there. The numbers do not depend on ``jobs``.

    Parameters
    ----------
    method
        ``FILE.py``, or ``FILE.py::Class`` where the file holds several.
    tasks, suite
        Task ids and the name of a suite; where neither is given, the suite ``quick``.
    seeds
        How many seeds: 0, 1, ….
    out
        Folder for ``<method>/<task id>.json`` and ``.parquet``.
    book, zoos, floors
        Other tasks than the bundled ones, zoos (or their folders) by the names that tasks use, and another
        folder of floor results.
    on_progress
        Called after every unit.

    Returns
    -------
    One record a task, in the order of the tasks. A failure of the method is a record, too: see ``status``.

    Raises
    ------
    MethodError
        If the file cannot be evaluated at all; nothing is written then.
    UnknownTaskError, ZooError
        If there is no such task, or its zoo cannot be used.
    ResultError
        If ``out`` cannot be written.
    KeyboardInterrupt
        As it came; every process has ended and the journal holds what was finished.
    """
    settings = settings or Settings()
    _check_numbers(seeds, settings)
    source = read_method_file(method)
    folder = Path(out)
    _check_writable(folder)
    chosen = (book or load_tasks()).select(tasks or None, suite or (None if tasks else DEFAULT_SUITE))
    launcher = Launcher(source.preload) if settings.fork is None else Launcher(source.preload, settings.fork)
    with launcher:  # it preloads while the zoo is being read
        opened = {name: _open_zoo(name, zoos or {}) for name in dict.fromkeys(task.zoo for task in chosen)}
        runs = [
            TaskRun(
                prepare(task, opened[task.zoo]),
                opened[task.zoo],
                tuple(range(seeds)),
                source,
                settings.limits,
                settings.device,
            )
            for task in chosen
        ]
        stop = threading.Event()
        declared = inspect_method(source, launcher, settings.limits, stop)
        journal = Journal(folder / source.name)
        with journal.open():
            execution = Execution(method, runs, settings, launcher, journal, stop, on_progress)
            records: dict[str, ResultRecord] = {}
            with closing(execution.finished_tasks()) as finished:
                for run in finished:
                    records[run.id] = _write(run, source, declared, folder, floors)
    return [records[run.id] for run in runs]


def _write(run: TaskRun, method: MethodFile, declared: Declared, folder: Path, floors: Path | None) -> ResultRecord:
    info = MethodInfo(
        name=method.name,
        class_name=declared.class_name,
        description=declared.description,
        file=method.path.name,
        source_hash=method.hash,
        privilege=cast(Privilege, declared.privilege),
    )
    predictions = complete_predictions(run.problem, run.delivered(), run.seeds)
    record = build_record(
        run.problem, predictions, info, run.outcomes(), committed_floors(run.problem, floors), list(run.notes())
    )
    write_result(record, run.problem, predictions, folder)
    return record


def _open_zoo(name: str, zoos: Mapping[str, Zoo | Path]) -> Zoo:
    given = zoos.get(name, name)
    return load_zoo(given) if isinstance(given, (str, Path)) else given


def _check_numbers(seeds: int, settings: Settings) -> None:
    limits = settings.limits
    for what, value in (
        ("seeds", seeds),
        ("jobs", settings.jobs),
        ("timeout", limits.seconds),
        ("memory", limits.memory_bytes),
    ):
        if not value > 0:
            raise WslbenchError(f"The number of {what} is {value}, and has to be above 0.")


def _check_writable(folder: Path) -> None:
    """Refuse early, and without leaving a trace, what would fail after minutes of work."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise ResultError(f"Results cannot be written to {folder}: {existing} is not a folder. Choose another --out.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ResultError(f"Results cannot be written to {folder}: {existing} is not writable. Choose another --out.")
