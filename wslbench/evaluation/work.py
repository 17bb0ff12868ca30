"""A method's units on some tasks, from set-up to the last one: what evaluations and audits share."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from wslbench.errors import MethodError, ResultError, WslbenchError
from wslbench.evaluation.assignment import Assignment
from wslbench.evaluation.execution import Execution, Progress, Settings
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.method_info import Declared, inspect_method
from wslbench.evaluation.result_schema import MethodInfo, Privilege
from wslbench.evaluation.run import Run
from wslbench.evaluation.spread import Spread
from wslbench.evaluation.tier import isolation_for
from wslbench.evaluation.unit import Disguise
from wslbench.tasks import Task, TaskKind
from wslbench.zoo import load_zoo

if TYPE_CHECKING:
    from wslbench.engines import Engine
    from wslbench.zoo import Zoo


class Work(NamedTuple):
    """A method, the tasks that it is put to, and these as they are finished."""

    method: MethodInfo
    tasks: Sequence[Task]
    finished: Iterator[Run]


MakeRun = Callable[[Assignment, Task, Declared, "tuple[Zoo, ...]"], Run]
"""From an assignment, one of its tasks, what the method declares, and the task's zoos, to the run."""


class Wanted(NamedTuple):
    """Tasks to choose from.

    Attributes
    ----------
    named
        Named one by one: a method that cannot do one of them is refused.
    listed
        Suites. Of the first that holds any task that the method can do, those tasks are taken.
    """

    named: Sequence[Task]
    listed: Sequence[Sequence[Task]] = ()

    def of(self, declared: Declared, path: Path) -> list[Task]:
        """The tasks that ask for what a method does.

        Raises
        ------
        MethodError
            If a named task, or every listed one, asks for something else; or the method claims a privilege that the
            task does not know.
        """
        unfit = [task for task in self.named if verb_of(task.kind) not in declared.verbs]
        fitting = [[task for task in tasks if verb_of(task.kind) in declared.verbs] for tasks in self.listed]
        if unfit or not (self.named or any(fitting)):
            asked = unfit[0] if unfit else self.listed[0][0]
            does = "generates weights" if declared.verbs == ("generate",) else "predicts"
            signature = (
                "generate(self, count, context)" if verb_of(asked.kind) == "generate" else "predict(self, models)"
            )
            raise MethodError(
                f"{path} cannot be evaluated: {declared.class_name} {does}, and {asked.id} asks for something else. "
                f"Give it a `{signature}`."
            )
        chosen = list({task.id: task for task in [*self.named, *next(filter(None, fitting), [])]}.values())
        odd = [task for task in chosen if declared.privilege != "none" and not _knows(task, declared.privilege)]
        if odd:
            raise MethodError(
                f"{path} cannot be evaluated: {declared.class_name} declares the privilege {declared.privilege!r}, "
                f"which {odd[0].id} does not know."
            )
        return chosen


def verb_of(kind: TaskKind) -> str:
    """What tasks of a kind need a method to be able to do."""
    return "generate" if kind == "weight_generation" else "predict"


def _knows(task: Task, privilege: str) -> bool:
    return (privilege == "data") == (task.kind == "weight_generation")


@contextmanager
def work_on(
    method: str | Path,
    wanted: Wanted,
    seeds: int,
    folder: Path,
    settings: Settings,
    *,
    zoos: Mapping[str, Zoo | Path] | None = None,
    disguises: tuple[Disguise, ...] = (),
    subfolder: str = "",
    engine: Engine | None = None,
    make_run: MakeRun = Assignment.run,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[Work]:
    """Run a method's units, or recall them from the journal in ``<folder>/<method>/<subfolder>``.

    Parameters
    ----------
    engine
        Whose workers run the units; None: processes of this machine, ``settings.jobs`` at a time.
    make_run
        Puts a task to the method; in another way than on its own zoos here alone, not on the workers of an engine.

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
    given = zoos or {}
    assignment = Assignment(
        method=source,
        seeds=tuple(range(seeds)),
        settings=settings,
        isolation=isolation_for(settings.isolation, settings.device),
        folder=folder.absolute(),
        subfolder=subfolder,
        zoos={name: _folder_of(zoo) for name, zoo in given.items()},
        disguises=disguises,
    )
    stop = threading.Event()
    with ExitStack() as stack:
        launcher = stack.enter_context(assignment.launcher())  # it preloads while the zoo is being read
        declared = inspect_method(source, launcher, settings.limits, stop)
        if launcher.sandbox is not None and declared.privilege == "data":
            stack.close()
            launcher = stack.enter_context(assignment.launcher(may_see_data=True))
        tasks = wanted.of(declared, source.path)
        opened = {name: _open_zoo(name, given) for name in dict.fromkeys(name for task in tasks for name in task.zoos)}
        runs = [make_run(assignment, task, declared, tuple(opened[name] for name in task.zoos)) for task in tasks]
        info = MethodInfo(
            name=source.name,
            class_name=declared.class_name,
            description=declared.description,
            file=source.path.name,
            source_hash=source.hash,
            privilege=cast(Privilege, declared.privilege),
        )
        spread = None if engine is None else Spread(engine, assignment, declared, {task.id: task for task in tasks})
        with assignment.journal.open():
            execution = Execution(runs, settings, launcher, assignment.journal, stop, on_progress, spread)
            with closing(execution.finished_tasks()) as finished:
                yield Work(info, tasks, finished)


def _folder_of(zoo: Zoo | Path | str) -> Path:
    return Path(zoo).absolute() if isinstance(zoo, (str, Path)) else zoo.path.absolute()


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
