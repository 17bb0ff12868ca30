"""The books of a run: order, attempts, and one monotone progress."""

import pytest

from wslbench.engines import Job
from wslbench.engines.ledger import Ledger
from wslbench.errors import ZooError


def ledger_of(**costs):
    told = []
    return Ledger([Job(key, cost, None) for key, cost in costs.items()], told.append), told


def test_the_costliest_first_and_what_died_last():
    ledger, _ = ledger_of(a=1, b=3, c=2)
    b = ledger.next()
    ledger.died(b, "was killed")
    assert [b.key, *(ledger.next().key for _ in range(3))] == ["b", "c", "a", "b"]
    assert ledger.next() is None


def test_progress_holds_until_a_dead_attempt_is_made_up_for(tmp_path):
    ledger, told = ledger_of(a=4, b=2)
    a, b = ledger.next(), ledger.next()
    ledger.report(a, 3)
    ledger.report(b, 1)
    ledger.died(a, "was killed")
    ledger.report(b, 0.5)  # 1.5 in truth, 4 told
    again = ledger.next()
    ledger.report(again, 2)
    ledger.done(b)  # 4: nothing new
    ledger.report(again, 1)
    ledger.done(again)
    assert told == [3, 4, 5, 6]
    ledger.close(tmp_path)


def test_after_three_deaths_a_job_is_given_up(tmp_path):
    ledger, _ = ledger_of(a=4)
    for _ in range(3):
        ledger.died(ledger.next(), "was killed by signal 11")
    assert ledger.next() is None
    with pytest.raises(ZooError, match=r"1 of 1 jobs .*'a' was begun 3 times, its worker was killed by signal 11"):
        ledger.close(tmp_path)
