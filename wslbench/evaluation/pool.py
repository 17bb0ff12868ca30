"""A few threads that work through units, each of which lives in processes of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


def work_through(
    jobs: Iterable[Job],
    work: Callable[[Job], Done],
    follow_up: Callable[[Job, Done], Iterable[Job]],
    threads: int,
    stop: threading.Event,
) -> Generator[tuple[Job, Done]]:
    """Do jobs, ``threads`` at a time, and the jobs that follow from them; yield each as it is done.

    An exception in a job, or in the consumer (Ctrl-C, for one), sets ``stop`` and waits until every running
    job has noticed, before it goes on its way.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="unit") as executor:
        running: dict[Future[Done], Job] = {executor.submit(work, job): job for job in jobs}
        try:
            while running:
                # A wait without end would keep Ctrl-C waiting on some platforms.
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    job, done = running.pop(future), future.result()
                    running |= {executor.submit(work, later): later for later in follow_up(job, done)}
                    yield job, done
        except BaseException:
            stop.set()
            executor.shutdown(wait=True, cancel_futures=True)
            raise
