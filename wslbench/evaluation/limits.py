"""The limits of a unit: time, memory over its process tree, and the wish of the user to stop."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
        Anonymous memory, summed over the process tree. Mapped files do not count. In the sandbox, its scratch folder
        does, and memory that processes share.
    processes
        How many processes a unit may have at a time, in the sandbox.
    """

    seconds: float = 600.0
    memory_bytes: int = 4 * 2**30
    processes: int = 256


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
        The highest memory seen, or None before the first look.
    handed_over
        Bytes of shared memory in which the unit was given models: they are not its own.
    """

    limits: Limits
    stop: threading.Event
    deadline: float = field(default=math.inf, init=False)
    peak_bytes: int | None = field(default=None, init=False)
    handed_over: int = field(default=0, init=False)
    _scratch: int | None = field(default=None, init=False)
    _root: psutil.Process | None = field(default=None, init=False)
    _tree: list[psutil.Process] = field(default_factory=list, init=False)
    _next_listing: float = field(default=0.0, init=False)

    def over(self, warden: int, scratch: int | None = None) -> None:
        """Watch the descendants of this process, and in the sandbox its open scratch folder; the time starts now."""
        self._scratch = scratch
        self.deadline = time.monotonic() + self.limits.seconds
        with contextlib.suppress(psutil.Error, ValueError):
            self._root = psutil.Process(warden)
            if scratch is not None:
                (self._root,) = self._root.children()  # process 1, which is no more of the method's than the warden

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
        processes = self._processes()
        if self._scratch is not None and len(processes) > self.limits.processes:
            raise LimitExceededError(
                "crashed", f"it had {len(processes)} processes, more than the {self.limits.processes} of a unit"
            )
        used = sum(map(anonymous_bytes, processes)) + self._in_memory_files(processes)
        self.peak_bytes = max(self.peak_bytes or 0, used) if used else self.peak_bytes
        if used > self.limits.memory_bytes:
            raise LimitExceededError(
                "out_of_memory",
                f"its processes held {used / 2**30:.2f} GiB, more than the {self.limits.memory_bytes / 2**30:.2f} GiB "
                "that a unit may hold",
            )

    def _in_memory_files(self, processes: Sequence[psutil.Process]) -> int:
        """Bytes of the scratch folder, or of memory that processes share, whichever is more.

        What is mapped from the scratch folder is both, so that a sum would count it twice.
        """
        if self._scratch is None:
            return 0
        folder = os.fstatvfs(self._scratch)
        written = (folder.f_blocks - folder.f_bfree) * folder.f_frsize
        return max(written, sum(map(shared_bytes, processes)) - self.handed_over)

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


def shared_bytes(process: psutil.Process) -> int:
    """Memory of one process that is shared and no file's (Linux: ``RssShmem``). 0 once it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssShmem:"):
                return int(line.split()[1]) * 1024
    return 0
