"""The ray engine: every job a task of one processor, on whatever nodes there are."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    WorkerCrashedError,
)

from wslbench.engines.attempt import ONE_THREAD, Failure, attempt
from wslbench.engines.engine import Job, Progress, Work
from wslbench.engines.failures import raise_failure
from wslbench.engines.interrupts import deaf_to_interrupts
from wslbench.engines.ledger import Ledger
from wslbench.engines.nodes import Token, check_nodes, token_in
from wslbench.engines.ray_progress import Mailbox, tell
from wslbench.engines.ray_session import ray_session
from wslbench.errors import ZooError

POLL_SECONDS = 0.5
GRACE_SECONDS = 10.0

# Ways in which an attempt is lost without the work function's doing.
DEATHS: dict[type[RayError], str] = {
    WorkerCrashedError: "was killed (out of memory?)",
    OutOfMemoryError: "was killed by ray, as its node ran out of memory",
    NodeDiedError: "was lost with its node",
    LocalRayletDiedError: "was lost with its node",
    ObjectLostError: "was lost with its node, answer and all",
}


class RayEngine:
    """Tasks on a ray cluster.

    Ray's own retries are off: only who begins a job again can take back its progress, and count its deaths for every
    cause alike (ray retries what ran out of memory for ever). ``ray.cancel`` is not used either: in ray 2.60 it aborts
    the whole driver when the task ends at that moment. Closing the session ends the tasks on all nodes; those of a
    session that is not ours end at their next report after the token is withdrawn.

    Parameters
    ----------
    jobs
        Processors of a cluster that is started here; without meaning for one that exists.
    address
        Of a cluster that exists, as ``ray.init`` takes it.
    """

    def __init__(self, jobs: int, address: str | None = None) -> None:
        self._jobs = jobs
        self._address = address

    def run(self, jobs: Sequence[Job], work: Work, folder: Path, progress: Progress) -> None:
        """See `Engine.run`."""
        if not jobs:  # nothing worth a cluster
            return
        ledger = Ledger(jobs, progress)
        with ray_session(self._jobs, self._address) as ours, token_in(folder) as token:
            check_nodes(token)
            tasks = _Tasks(work, token)
            try:
                while tasks.submit(ledger):
                    tasks.hear(ledger, folder)
            finally:
                with deaf_to_interrupts():
                    token.withdraw()
                    if not ours:  # else they are ended with the session
                        tasks.wait_for_end()
        ledger.close(folder)


class _Tasks:
    """The tasks that are out, each an attempt at a job."""

    def __init__(self, work: Work, token: Token) -> None:
        self._work = work
        self._token = token
        self._mailbox = Mailbox()
        self._numbers = count()
        self._out: dict[Any, tuple[int, Job]] = {}

    def submit(self, ledger: Ledger) -> bool:
        """A task for each job that waits; whether any task is out. Ray begins them in this order."""
        while (job := ledger.next()) is not None:
            number = next(self._numbers)
            task = ray.remote(_attempt_there).options(
                name=job.key, num_cpus=1, max_retries=0, runtime_env={"env_vars": ONE_THREAD}
            )
            answer = task.remote(self._work, job.payload, self._token, self._mailbox.tally, number)
            self._out[answer] = number, job
        return bool(self._out)

    def hear(self, ledger: Ledger, folder: Path) -> None:
        """Wait a moment; enter what was reported and what has ended."""
        ended, _ = ray.wait(list(self._out), num_returns=len(self._out), timeout=POLL_SECONDS)
        running = dict(self._out.values())
        for number, amount in self._mailbox.collect().items():
            if number in running:  # else a late word of an attempt that has died
                ledger.report(running[number], amount)
        for answer in ended:
            _, job = self._out.pop(answer)
            try:
                failure = ray.get(answer)
            except tuple(DEATHS) as error:
                ledger.died(job, next(how for kind, how in DEATHS.items() if isinstance(error, kind)))
            except RayError as error:
                raise ZooError(f"ray could not do job {job.key!r}: {str(error).strip().splitlines()[-1]}") from error
            else:
                if failure is not None:
                    raise_failure(failure, job.key, folder)
                ledger.done(job)

    def wait_for_end(self) -> None:
        """Wait for tasks that are still out, which end now that their token is withdrawn."""
        if self._out:
            ray.wait(list(self._out), num_returns=len(self._out), timeout=GRACE_SECONDS)


class _Withdrawn(BaseException):
    """Ends the work function: nobody waits for this task any more. (Not an Exception, which the work might catch.)"""


def _attempt_there(work: Work, payload: Any, token: Token, tally: Any, number: int) -> Failure | None:
    """The task. Results written to a folder of the node's own would be lost, hence the look at the token first."""
    if not token.seen():
        return Failure(token.unseen(socket.gethostname()), "")

    def send(amount: float) -> None:
        if token.withdrawn():
            raise _Withdrawn
        tell(tally, number, amount)

    with contextlib.suppress(_Withdrawn):
        return attempt(work, payload, send)
    return None
