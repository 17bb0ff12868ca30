"""What an engine is: it does jobs, each once, wherever and in whatever order, and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class Job(NamedTuple):
    """One unit of work, for one worker of one thread.

    Attributes
    ----------
    key
        Unique name; messages use it.
    cost
        In arbitrary units common to all jobs. The costliest start first.
    payload
        What the work function is given; picklable.
    """

    key: str
    cost: float
    payload: Any


Report = Callable[[float], None]
"""How a work function tells that it has finished so many further units of its job's cost."""

Progress = Callable[[float], None]
"""Told the units finished so far by all workers together: never less than before, never more than the jobs' sum."""

Work = Callable[[Any, Report], None]
"""A function of a module, ``work(payload, report)``: does a job and writes its results to the shared folder.

It is idempotent and writes atomically: a worker may be killed at any moment, and the job is then done again. On
a cluster a node that was lost from sight may even still be at it.
"""


class Engine(Protocol):
    """Does jobs with several workers. Results do not depend on the engine nor on the number of workers."""

    def run(self, jobs: Sequence[Job], work: Work, folder: Path, progress: Progress) -> None:
        """Do all the jobs; return when the last is done.

        A job whose worker was killed, or whose node was lost, is done again after the jobs that still wait; when it
        has died ``ATTEMPTS`` times the others are finished before the error is raised. An exception in the work
        function, or an interrupt here, stops the other workers at once: no work goes on after this call.

        Parameters
        ----------
        jobs
            Of distinct keys.
        work
            Importable by every worker.
        folder
            Where the work function writes its results: every worker must see it, and messages name it.
        progress
            Called in this process. What a killed attempt had reported is taken back: the number then holds until the
            other work has made up for it.

        Raises
        ------
        ZooError
            If a job died too often, or if a cluster cannot be used.
        DiskFullError
            If the disk is full.
        WslbenchError
            As the work function raised it. Other exceptions of the work function carry the worker's traceback as a
            note.
        KeyboardInterrupt
            When all workers have ended.
        """
        ...
