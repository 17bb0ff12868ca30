"""A bound in time around a single read: a reader that hangs is a failure, and tells on what."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

PATIENCE = 5.0  # seconds of wall clock; reads take milliseconds, and a busy machine is no hang


@contextmanager
def patience(seconds: float = PATIENCE) -> Iterator[None]:
    """Fail the test if what stands in the block takes longer.

    Pytest's failure is no ``Exception``, so that no reader takes it for damage of its file; hypothesis knows it, and
    shows the example. The alarm comes again, in case the first one is lost where exceptions are ignored.
    """

    def wake(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"still reading after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, wake)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
