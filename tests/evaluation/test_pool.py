"""The pool does every job, and ends in order when one cannot be done."""

from __future__ import annotations

import threading

import pytest

from wslbench.evaluation.pool import work_through


def test_jobs_and_those_that_follow_are_done_once() -> None:
    later = {1: [10, 11], 10: [100]}
    done = dict(work_through([1, 2, 3], lambda job: job * 2, lambda job, _: later.get(job, []), 2, threading.Event()))
    assert done == {job: job * 2 for job in (1, 2, 3, 10, 11, 100)}


def test_an_error_stops_the_others_and_is_raised() -> None:
    stop = threading.Event()
    stopped = []

    def work(job: int) -> None:
        if job == 0:
            raise ValueError("broken")
        stopped.append(stop.wait(30))

    with pytest.raises(ValueError, match="broken"):
        list(work_through(range(20), work, lambda *_: [], 2, stop))
    assert stopped.count(True) == len(stopped) <= 2


def test_an_error_of_the_consumer_stops_the_others() -> None:
    stop = threading.Event()
    work = work_through([0, 1], lambda job: None if job == 0 else stop.wait(30), lambda *_: [], 2, stop)
    next(work)
    work.close()
    assert stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("unit")]
