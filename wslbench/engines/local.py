"""The local engine: a supervisor of worker processes on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from wslbench.engines.engine import Job, Progress, Work
from wslbench.engines.failures import raise_failure
from wslbench.engines.interrupts import deaf_to_interrupts
from wslbench.engines.ledger import Ledger
from wslbench.engines.worker import Ended, Worker, killed_by
from wslbench.errors import ZooError

POLL_SECONDS = 0.5


class LocalEngine:
    """Processes of one thread each, spawned; each has its own pipe, so that the death of one disturbs no other.

    (A pool of ``concurrent.futures`` breaks as a whole when one of its processes is killed.)

    Parameters
    ----------
    jobs
        Processes at a time.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def run(self, jobs: Sequence[Job], work: Work, folder: Path, progress: Progress) -> None:
        """See `Engine.run`."""
        ledger = Ledger(jobs, progress)
        workers: list[Worker] = []
        try:
            while _hire(workers, self._jobs, work, ledger):
                wait([worker.pipe for worker in workers], POLL_SECONDS)
                for worker in list(workers):
                    _hear(worker, workers, ledger, folder)
        except BaseException:
            with deaf_to_interrupts():
                for worker in workers:
                    worker.terminate()
                for worker in workers:
                    worker.reap()
            raise
        ledger.close(folder)


def _hire(workers: list[Worker], most: int, work: Work, ledger: Ledger) -> bool:
    """A worker for each job that waits, as far as they go; whether anybody is at work."""
    while len(workers) < most and (job := ledger.next()) is not None:
        workers.append(Worker(work))
        workers[-1].start(job)
    return bool(workers)


def _hear(worker: Worker, workers: list[Worker], ledger: Ledger, folder: Path) -> None:
    """Enter what a worker has sent; give it the next job, or let it go."""
    messages, alive = worker.news()
    for message in messages:
        if not isinstance(message, Ended):
            ledger.report(worker.job, message)
            continue
        if message.failure is not None:
            raise_failure(message.failure, worker.job.key, folder)
        ledger.done(worker.job)
        job = ledger.next()
        if job is None:
            workers.remove(worker)
            worker.dismiss()
            return
        worker.give(job)
    if not alive:
        status = worker.death()
        workers.remove(worker)
        worker.reap()
        if status >= 0:  # not killed: it will not go better another time
            raise ZooError(
                f"the worker of job {worker.job.key!r} ended by itself, with exit status {status}, before the job was "
                f"done; what it printed says why. What is finished is kept in {folder}"
            )
        ledger.died(worker.job, killed_by(-status))
