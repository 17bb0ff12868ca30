"""The local engine: what holds for every engine, and what its own processes do."""

import multiprocessing
import os
import signal

import pytest

from tests.engines import works
from tests.engines.contract import EngineContract, wait_until_gone
from tests.engines.sleepers import start_sleepers
from tests.engines.works import jobs_in, lines
from wslbench.engines.local import LocalEngine
from wslbench.errors import ZooError


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self):
        yield LocalEngine(2)
        assert multiprocessing.active_children() == []


def test_one_worker_does_all_jobs_in_turn(tmp_path):
    LocalEngine(1).run(jobs_in(tmp_path, a=1, b=3, c=2), works.ordinary, tmp_path, lambda units: None)
    assert lines(tmp_path, "done") == ["b", "c", "a"]
    assert len(set(lines(tmp_path, "pids"))) == 1


def test_workers_never_get_an_interrupt(tmp_path):
    LocalEngine(2).run(jobs_in(tmp_path, a=1, b=1), works.signals, tmp_path, lambda units: None)
    assert lines(tmp_path, "blocked") == ["True", "True"]


def test_a_worker_that_leaves_by_itself_is_not_tried_again(tmp_path):
    with pytest.raises(ZooError, match="job 'a' ended by itself, with exit status 3"):
        LocalEngine(1).run(jobs_in(tmp_path, a=1), works.exits, tmp_path, lambda units: None)


def test_the_parents_environment_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    LocalEngine(1).run(jobs_in(tmp_path, a=1), works.signals, tmp_path, lambda units: None)
    assert dict(os.environ) == before


def test_workers_leave_when_their_parent_is_killed(tmp_path):
    process = start_sleepers(tmp_path, "local")
    process.kill()
    process.communicate()
    assert wait_until_gone(map(int, lines(tmp_path, "pids")))


def test_an_interrupt_from_the_keyboard_is_answered_without_noise(tmp_path):
    process = start_sleepers(tmp_path, "local")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all of the group
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 42
    assert output == ""
    assert wait_until_gone(map(int, lines(tmp_path, "pids")))
