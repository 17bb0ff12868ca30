"""A worker process of the local engine: both ends of its pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from wslbench.engines.attempt import Failure, attempt, one_thread_environment
from wslbench.engines.engine import Job, Work
from wslbench.engines.interrupts import interrupts_held_back

GRACE_SECONDS = 5.0


class Ended(NamedTuple):
    """A worker's last word on a job."""

    failure: Failure | None


class Worker:
    """The parent's end: a process that does one job after another.

    Not started by the constructor, so that its owner can hold it before there is anything to stop.
    """

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, self._far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._far_end, work), daemon=True)
        self.job: Job

    def start(self, job: Job) -> None:
        """Start the process, on a first job."""
        resource_tracker.ensure_running()  # else the start does it, and lets interrupts through afterwards
        with interrupts_held_back(), one_thread_environment():
            self._process.start()
        self._far_end.close()  # the worker's death closes the last copy, which ends the pipe here
        self.give(job)

    def give(self, job: Job) -> None:
        """A further job, the one before having ended."""
        self.job = job
        with contextlib.suppress(ConnectionError):  # it died between two jobs; its pipe tells
            self.pipe.send(job.payload)

    def news(self) -> tuple[list[float | Ended], bool]:
        """What it has sent since, without waiting, and whether it is alive."""
        alive = self._process.is_alive()  # asked first: what a dead worker sent before is all there by now
        messages: list[float | Ended] = []
        try:
            while self.pipe.poll():
                messages.append(self.pipe.recv())
        except (EOFError, OSError):  # between two messages, or inside one
            alive = False
        return messages, alive

    def death(self) -> int:
        """Exit status of a worker that is dead or dying; minus the signal if one killed it."""
        self._end(GRACE_SECONDS)
        return self._process.exitcode or 0

    def dismiss(self) -> None:
        """There is no further job: let it leave."""
        self.pipe.close()
        self._end(GRACE_SECONDS)

    def terminate(self) -> None:
        """Stop whatever it does; `reap` waits for it."""
        if self._process.pid is not None:
            self._process.terminate()

    def reap(self) -> None:
        """Wait until a terminated worker is gone."""
        if self._process.pid is not None:
            self._end(GRACE_SECONDS)
        self.pipe.close()

    def _end(self, seconds: float) -> None:
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def killed_by(number: int) -> str:
    """In words, what a signal did to a worker."""
    if number == signal.SIGKILL:
        return "was killed by signal 9 (out of memory?)"
    return f"was killed by signal {number} ({signal.strsignal(number)})"


def _serve(pipe: Connection[Any, Any], work: Work) -> None:
    """The process itself: jobs until there are no more."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    while True:
        try:
            payload = pipe.recv()
        except (EOFError, ConnectionError):
            return
        pipe.send(Ended(attempt(work, payload, pipe.send)))


def _leave_with_parent() -> None:
    """A parent that was killed can stop nobody; its workers notice by themselves, in the middle of a job."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
