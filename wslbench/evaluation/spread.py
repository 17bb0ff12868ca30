"""Units on the workers of an engine, on whatever machines: each writes what came of it into the journal.

The journal is the only thing that comes back, so that a unit whose worker was killed is run again and no other is, and
a unit is booked once however often it was begun. Predictions are scored where the evaluation was asked for.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wslbench.engines import Engine, Job, Report
from wslbench.errors import WslbenchError
from wslbench.evaluation.assignment import Assignment
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import refuse_edited
from wslbench.evaluation.method_info import Declared
from wslbench.evaluation.run import Run, UnitName
from wslbench.evaluation.tier import isolation_for
from wslbench.tasks import Task


class UnitJob(NamedTuple):
    """What a worker is given: a unit, and all that it belongs to."""

    assignment: Assignment
    declared: Declared
    task: Task
    name: UnitName


class Spread:
    """Runs units on an engine's workers.

    Parameters
    ----------
    tasks
        By their ids.
    """

    def __init__(self, engine: Engine, assignment: Assignment, declared: Declared, tasks: Mapping[str, Task]) -> None:
        self._engine = engine
        self._assignment = assignment
        self._declared = declared
        self._tasks = tasks

    def __call__(self, names: Sequence[UnitName], on_progress: Callable[[], None]) -> None:
        """Run these units; ``on_progress`` is called whenever some are in the journal.

        Raises
        ------
        ZooError
            If a unit's worker died too often, or the engine's cluster cannot be used.
        WslbenchError
            If a worker cannot run units as they were asked for.
        """
        jobs = [
            Job(
                f"{name.task_id}, fold {name.fold}, seed {name.seed}",
                1.0,
                UnitJob(self._assignment, self._declared, self._tasks[name.task_id], name),
            )
            for name in names
        ]
        folder = self._assignment.folder / self._assignment.method.name
        self._engine.run(jobs, run_there, folder, lambda units: on_progress())


def run_there(job: UnitJob, report: Report) -> None:
    """The work of a worker: run a unit, unless an earlier attempt has, and keep what came of it.

    Raises
    ------
    WslbenchError
        If this machine has no sandbox and units are to run in one.
    MethodError
        If the method's file is another one here.
    """
    desk = _desk(job)
    run = desk.run(job.task)
    journal = job.assignment.journal
    if journal.find(run.id, job.name.fold, job.name.seed, run.key(job.name)) is None:
        refuse_edited(run.method)
        entry = run.work(job.name, desk.launcher, _Stop(report))
        refuse_edited(run.method)
        journal.keep(run.id, entry)
    report(1.0)


class _Stop(threading.Event):
    """Never set; but whoever looks whether it is reports, which ends a unit that nobody waits for any more."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def is_set(self) -> bool:
        self._report(0.0)
        return False


@dataclass
class _Desk:
    """What a worker keeps from unit to unit of an evaluation: its launcher has preloaded, its tasks are prepared."""

    assignment: Assignment
    declared: Declared
    launcher: Launcher
    runs: dict[str, Run] = field(default_factory=dict)

    def run(self, task: Task) -> Run:
        if task.id not in self.runs:
            self.runs[task.id] = self.assignment.run(task, self.declared, self.assignment.open_zoos(task))
        return self.runs[task.id]


_DESKS: Final[list[_Desk]] = []  # one at most


def _desk(job: UnitJob) -> _Desk:
    if _DESKS and (_DESKS[0].assignment, _DESKS[0].declared) == (job.assignment, job.declared):
        return _DESKS[0]
    while _DESKS:
        _DESKS.pop().launcher.close()
    here = isolation_for(job.assignment.settings.isolation, job.assignment.settings.device)
    if here.tier != job.assignment.isolation.tier:
        raise WslbenchError(
            f"{socket.gethostname()} runs units in the tier {here.tier}, and this evaluation runs them in "
            f"{job.assignment.isolation.tier}. {here.note or 'Leave out --isolation.'}"
        )
    _DESKS.append(_Desk(job.assignment, job.declared, job.assignment.launcher(job.declared.privilege == "data")))
    return _DESKS[0]
