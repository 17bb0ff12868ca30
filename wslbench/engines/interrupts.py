"""When a Ctrl-C may not disturb: while workers are started, and while they are stopped."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """An impatient second Ctrl-C is ignored: stopping workers must not stop half-way."""
    if threading.current_thread() is not threading.main_thread():  # others cannot set handlers, nor get interrupts
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[None]:
    """A Ctrl-C inside comes afterwards, and processes that are started inside never get one.

    A process inherits the mask; ignoring the signal only after the start would leave seconds of imports in which each
    worker answers with a traceback of its own. The mask alone does not hold the signal back here: it is one thread's,
    and any other thread (of a progress bar, of a numerical library) takes the signal for the process, on which Python
    interrupts the main thread. So the handler only takes a note meanwhile.
    """
    noted: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, _: noted.append(number)) if main else None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if main:
            signal.signal(signal.SIGINT, handler)
    if noted:
        signal.raise_signal(signal.SIGINT)
