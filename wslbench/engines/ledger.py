"""Which jobs wait, which died how often, and how much of the whole is finished."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from wslbench.engines.engine import Job, Progress
from wslbench.errors import ZooError

ATTEMPTS = 3
"""How often a job is begun before it is given up."""


class Ledger:
    """The books of one run: engines take jobs from it and enter what becomes of them."""

    def __init__(self, jobs: Sequence[Job], progress: Progress) -> None:
        self._waiting = deque(sorted(jobs, key=lambda job: job.cost, reverse=True))
        self._finished = dict.fromkeys((job.key for job in jobs), 0.0)
        if len(self._finished) < len(jobs):
            raise ValueError("two jobs have the same key")
        self._begun: Counter[str] = Counter()
        self._given_up: dict[str, str] = {}
        self._progress = progress
        self._told = 0.0

    def next(self) -> Job | None:
        """The costliest job that nobody has begun, else one that died, else none."""
        if not self._waiting:
            return None
        job = self._waiting.popleft()
        self._begun[job.key] += 1
        return job

    def report(self, job: Job, amount: float) -> None:
        """So much more of a running job is finished."""
        self._enter(job, min(job.cost, self._finished[job.key] + amount))

    def done(self, job: Job) -> None:
        """A job is finished, whatever it had reported."""
        self._enter(job, job.cost)

    def died(self, job: Job, how: str) -> None:
        """A job's worker died: it waits again, behind the others (which may be what took its memory), or is given up.

        Parameters
        ----------
        how
            Completes the sentence "its worker …".
        """
        self._enter(job, 0.0)
        if self._begun[job.key] < ATTEMPTS:
            self._waiting.append(job)
        else:
            self._given_up[job.key] = how

    def close(self, folder: Path) -> None:
        """All jobs have ended.

        Raises
        ------
        ZooError
            If some were given up.
        """
        if not self._given_up:
            return
        lost, of = len(self._given_up), len(self._finished)
        deaths = "; ".join(
            f"job {key!r} was begun {ATTEMPTS} times, its worker {how}" for key, how in self._given_up.items()
        )
        raise ZooError(
            f"{lost} of {of} jobs could not be done: {deaths}. What the others finished is kept in {folder}; give the "
            "same command again, perhaps with fewer --jobs so that each has more memory"
        )

    def _enter(self, job: Job, finished: float) -> None:
        self._finished[job.key] = finished
        total = math.fsum(self._finished.values())
        if total > self._told:  # not so while a repeated job makes up for its dead attempt
            self._told = total
            self._progress(total)
