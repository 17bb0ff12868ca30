"""A method's units on some tasks, from set-up to the last one: what evaluations and audits share."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from wslbench.errors import ResultError, WslbenchError
from wslbench.evaluation.execution import Execution, Progress, Settings
from wslbench.evaluation.journal import Journal
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.method_info import inspect_method
from wslbench.evaluation.result_schema import MethodInfo, Privilege
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.unit import Disguise
from wslbench.tasks import Task, prepare
from wslbench.zoo import load_zoo

if TYPE_CHECKING:
    from wslbench.zoo import Zoo


class Work(NamedTuple):
    """A method, and its tasks as they are finished."""

    method: MethodInfo
    finished: Iterator[TaskRun]


@contextmanager
def work_on(
    method: str | Path,
    tasks: Sequence[Task],
    seeds: int,
    folder: Path,
    settings: Settings,
    *,
    zoos: Mapping[str, Zoo | Path] | None = None,
    disguises: tuple[Disguise, ...] = (),
    subfolder: str = "",
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[Work]:
    """Run a method's units, or recall them from the journal in ``<folder>/<method>/<subfolder>``.

    Raises
    ------
    MethodError
        If the file cannot be evaluated at all; nothing is written then.
    ZooError
        If a task's zoo cannot be used.
    ResultError
        If the folder cannot be written.
    """
    _check_numbers(seeds, settings)
    source = read_method_file(method)
    _check_writable(folder)
    launcher = Launcher(source.preload) if settings.fork is None else Launcher(source.preload, settings.fork)
    with launcher:  # it preloads while the zoo is being read
        opened = {
            name: _open_zoo(name, zoos or {}) for name in dict.fromkeys(name for task in tasks for name in task.zoos)
        }
        runs = [
            TaskRun(
                prepare(task, *needed),
                needed,
                tuple(range(seeds)),
                source,
                settings.limits,
                settings.device,
                disguises,
            )
            for task in tasks
            for needed in [tuple(opened[name] for name in task.zoos)]
        ]
        stop = threading.Event()
        declared = inspect_method(source, launcher, settings.limits, stop)
        info = MethodInfo(
            name=source.name,
            class_name=declared.class_name,
            description=declared.description,
            file=source.path.name,
            source_hash=source.hash,
            privilege=cast(Privilege, declared.privilege),
        )
        journal = Journal(folder / source.name / subfolder)
        with journal.open():
            execution = Execution(method, runs, settings, launcher, journal, stop, on_progress)
            with closing(execution.finished_tasks()) as finished:
                yield Work(info, finished)


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
