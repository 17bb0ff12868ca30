"""One attempt at a job, inside a worker: one thread, progress in portions, an exception made fit to travel."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from wslbench.engines.engine import Work
from wslbench.full_disk import full_disk

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Environment of every worker. The libraries read it when they are loaded, so it must be there at the start."""

REPORT_SECONDS = 0.2


class Failure(NamedTuple):
    """An exception of the work function, and the worker's traceback, which does not survive pickling."""

    error: Exception
    trace: str


def attempt(work: Work, payload: Any, send: Callable[[float], None]) -> Failure | None:
    """Do a job; what went wrong, if anything did.

    ``send`` gets the work's reports added up, at most every ``REPORT_SECONDS``; a last portion may never be sent, as a
    finished job counts in full.
    """
    _one_thread()
    try:
        work(payload, _Portions(send))
    except (Exception, SystemExit) as error:
        # What an error was raised from does not survive pickling, either.
        return Failure(_portable(full_disk(error) or error), traceback.format_exc())
    return None


@contextlib.contextmanager
def one_thread_environment() -> Iterator[None]:
    """What is started inside inherits ``ONE_THREAD``."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Portions:
    """Adds up small reports, so that the work function may report as often as it likes."""

    def __init__(self, send: Callable[[float], None]) -> None:
        self._send = send
        self._held = 0.0
        self._sent = time.monotonic()

    def __call__(self, amount: float) -> None:
        self._held += amount
        now = time.monotonic()
        if now - self._sent >= REPORT_SECONDS:
            self._send(self._held)
            self._held, self._sent = 0.0, now


def _one_thread() -> None:
    # A torch that is not loaded yet will take the number from the environment.
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


def _portable(error: BaseException) -> Exception:
    """The exception itself where it survives pickling (not all do), else one that says the same."""
    if isinstance(error, Exception):
        with contextlib.suppress(Exception):
            if type(pickle.loads(pickle.dumps(error))) is type(error):
                return error
    return RuntimeError(f"{type(error).__name__}: {error}")
