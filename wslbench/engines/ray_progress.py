"""How tasks on a ray cluster tell their progress: an actor that adds up, and that nobody depends on."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Any

import ray
from ray.exceptions import RayError


class Tally:
    """The actor: finished units of each attempt since they were last collected."""

    def __init__(self) -> None:
        self._amounts: dict[int, float] = defaultdict(float)

    def add(self, attempt: int, amount: float) -> None:
        """Called by the tasks, which do not wait for it."""
        self._amounts[attempt] += amount

    def collect(self) -> dict[int, float]:
        """Called by the driver."""
        amounts, self._amounts = dict(self._amounts), defaultdict(float)
        return amounts


class Mailbox:
    """The driver's end. When the actor dies ray starts it anew, and only reports of that moment are lost."""

    def __init__(self) -> None:
        self.tally = ray.remote(Tally).options(num_cpus=0, max_restarts=-1).remote()
        self._answer = self.tally.collect.remote()

    def collect(self) -> dict[int, float]:
        """What attempts have finished since, as far as the actor has answered; never waits."""
        with contextlib.suppress(RayError):
            if not ray.wait([self._answer], timeout=0)[0]:
                return {}
            answered, self._answer = self._answer, self.tally.collect.remote()
            return dict(ray.get(answered))
        return {}


def tell(tally: Any, attempt: int, amount: float) -> None:
    """Called in a task: report progress, and go on whatever becomes of the report."""
    with contextlib.suppress(RayError):
        tally.add.remote(attempt, amount)
