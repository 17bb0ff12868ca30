"""Interrupts wait while a worker is started, whichever thread takes the signal."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from wslbench.engines.interrupts import interrupts_held_back


@pytest.fixture
def bystander() -> Iterator[None]:
    """Another thread, which does not block the signal: the kernel hands it over there."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


def interrupted_inside(then: Callable[[], None]) -> None:
    """An interrupt comes while interrupts are held back; ``then`` runs before they are let go."""
    with interrupts_held_back():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        then()


@pytest.mark.usefixtures("bystander")
def test_an_interrupt_that_another_thread_takes_comes_afterwards() -> None:
    done: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_inside(then=lambda: done.append(True))
    assert done == [True]


@pytest.mark.usefixtures("bystander")
def test_an_error_inside_goes_before_the_interrupt_and_everything_is_put_back() -> None:
    def fails() -> None:
        raise OSError("no process")

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="no process"):
        interrupted_inside(then=fails)
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
