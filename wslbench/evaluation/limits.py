"""The limits of a unit: time, memory over its process tree, and the wish of the user to stop."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from dataclasses import dataclass, field
from typing import Final

import psutil

from wslbench.evaluation.failures import FailureKind

_TREE_EVERY: Final = 20  # the whole tree is listed at most this many times less often than a listing takes


@dataclass(frozen=True)
class Limits:
    """What a unit may use.

    Attributes
    ----------
    seconds
        Wall-clock time, from the start of its process to its last prediction.
    memory_bytes
        Anonymous memory, summed over the process tree. Mapped files do not count.
    """

    seconds: float = 600.0
    memory_bytes: int = 4 * 2**30


class LimitExceededError(Exception):
    """A unit went over a limit."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class StoppedError(Exception):
    """The user wants the evaluation to end."""


@dataclass
class Watch:
    """Looks at a unit's limits whenever it is called.

    Attributes
    ----------
    deadline
        The moment at which time is up, in seconds of :func:`time.monotonic`.
    peak_bytes
        The highest anonymous memory seen, or None before the first look.
    """

    limits: Limits
    stop: threading.Event
    deadline: float = field(default=math.inf, init=False)
    peak_bytes: int | None = field(default=None, init=False)
    _root: psutil.Process | None = field(default=None, init=False)
    _tree: list[psutil.Process] = field(default_factory=list, init=False)
    _next_listing: float = field(default=0.0, init=False)

    def over(self, warden: int) -> None:
        """Watch the descendants of this process; the time starts now."""
        self.deadline = time.monotonic() + self.limits.seconds
        with contextlib.suppress(psutil.Error):
            self._root = psutil.Process(warden)

    def __call__(self) -> None:
        """Look once.

        Raises
        ------
        LimitExceededError, StoppedError
            If the unit has to end.
        """
        if self.stop.is_set():
            raise StoppedError
        if time.monotonic() > self.deadline:
            raise LimitExceededError("timeout", f"it took more than the {self.limits.seconds:g} s that a unit may take")
        used = sum(map(anonymous_bytes, self._processes()))
        self.peak_bytes = max(self.peak_bytes or 0, used) if used else self.peak_bytes
        if used > self.limits.memory_bytes:
            raise LimitExceededError(
                "out_of_memory",
                f"its processes held {used / 2**30:.2f} GiB, more than the {self.limits.memory_bytes / 2**30:.2f} GiB "
                "that a unit may hold",
            )

    def _processes(self) -> list[psutil.Process]:
        # Listing descendants reads every process of the machine; on a busy one that is milliseconds.
        start = time.monotonic()
        if self._root is not None and start >= self._next_listing:
            with contextlib.suppress(psutil.Error):
                self._tree = self._root.children(recursive=True)
            self._next_listing = start + _TREE_EVERY * (time.monotonic() - start)
        return self._tree


def anonymous_bytes(process: psutil.Process) -> int:
    """Anonymous memory of one process: resident, and neither a mapped file nor shared memory. 0 once it is gone."""
    try:
        memory = process.memory_info()
        # Linux tells what is shared at no cost; elsewhere the unique set is asked for.
        shared = getattr(memory, "shared", None)
        return int(process.memory_full_info().uss if shared is None else memory.rss - shared)
    except psutil.Error:
        return 0
