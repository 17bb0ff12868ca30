"""What holds for every engine; its test class adds the fixture ``engine``, with room for two jobs at a time."""

import time

import psutil
import pytest

from tests.engines import works
from tests.engines.works import jobs_in, lines
from wslbench.errors import DiskFullError, RecipeError, ZooError


def wait_until_gone(pids, seconds=20.0):
    """Whether none of the processes is there any more, in the end."""
    pids = list(pids)
    assert pids
    deadline = time.monotonic() + seconds
    while any(_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class EngineContract:
    workers_start_together = True
    """Whether a worker cannot take several jobs while another one is still starting."""

    def test_every_job_is_done_once_and_progress_adds_up(self, engine, tmp_path):
        told = []
        engine.run(jobs_in(tmp_path, a=1, b=3, c=2, d=0, e=2), works.ordinary, tmp_path, told.append)
        assert sorted(lines(tmp_path, "done")) == sorted(lines(tmp_path, "begun")) == ["a", "b", "c", "d", "e"]
        begun = lines(tmp_path, "begun")
        assert begun.index("b") < begun.index("d")  # the costliest first
        if self.workers_start_together:
            assert set(begun[:2]) <= {"b", "c", "e"}
        assert told == sorted(told)
        assert told[-1] == 8
        assert len(told) > 2
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_reports_beyond_the_cost_do_not_count(self, engine, tmp_path):
        told = []
        engine.run(jobs_in(tmp_path, a=1, b=2), works.boastful, tmp_path, told.append)
        assert told == sorted(told)
        assert told[-1] == max(told) == 3

    def test_nothing_to_do(self, engine, tmp_path):
        told = []
        engine.run([], works.ordinary, tmp_path, told.append)
        assert told == []

    def test_a_killed_job_is_done_again_and_no_other(self, engine, tmp_path):
        told = []
        engine.run(jobs_in(tmp_path, victim=4, a=1, b=2, c=1), works.killed_once, tmp_path, told.append)
        assert sorted(lines(tmp_path, "done")) == ["a", "b", "c", "victim"]
        assert sorted(lines(tmp_path, "begun")) == ["a", "b", "c", "victim", "victim"]
        assert told == sorted(told)
        assert told[-1] == 8

    def test_a_job_that_always_dies_is_named_after_the_others_are_done(self, engine, tmp_path):
        told = []
        with pytest.raises(ZooError, match=r"1 of 4 jobs .*'victim' was begun 3 times.*killed.*out of memory.*--jobs"):
            engine.run(jobs_in(tmp_path, victim=4, a=1, b=2, c=1), works.killed_always, tmp_path, told.append)
        assert sorted(lines(tmp_path, "done")) == ["a", "b", "c"]
        assert lines(tmp_path, "begun").count("victim") == 3
        assert told[-1] == 4

    @pytest.mark.parametrize("work", [works.disk_is_full, works.disk_is_full_they_say])
    def test_a_full_disk_is_said_to_be_full(self, engine, tmp_path, work):
        told = r"disk is full: job 'a' .*weights\.safetensors.* kept in .*again"
        with pytest.raises(DiskFullError, match=told) as caught:
            engine.run(jobs_in(tmp_path, a=1), work, tmp_path, lambda units: None)
        assert str(tmp_path) in str(caught.value)

    def test_our_own_errors_arrive_as_they_were_raised(self, engine, tmp_path):
        with pytest.raises(RecipeError) as caught:
            engine.run(jobs_in(tmp_path, a=1), works.bad_recipe, tmp_path, lambda units: None)
        assert str(caught.value) == "recipe 'a': no such thing"
        assert not hasattr(caught.value, "__notes__")

    def test_other_errors_bring_the_traceback_of_their_worker(self, engine, tmp_path):
        with pytest.raises(ValueError, match="three is not two") as caught:
            engine.run(jobs_in(tmp_path, a=1), works.bad_value, tmp_path, lambda units: None)
        (note,) = caught.value.__notes__
        assert "job 'a'" in note
        assert "in bad_value" in note

    def test_an_error_that_cannot_travel_is_told_in_another(self, engine, tmp_path):
        with pytest.raises(RuntimeError, match="AwkwardError: a fault in a place"):
            engine.run(jobs_in(tmp_path, a=1), works.awkward, tmp_path, lambda units: None)

    def test_an_interrupt_ends_the_work(self, engine, tmp_path):
        def interrupt(units):
            if len(lines(tmp_path, "pids")) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            engine.run(jobs_in(tmp_path, a=1, b=1, c=1), works.asleep, tmp_path, interrupt)
        beats = lines(tmp_path, "beats")
        time.sleep(1)
        assert lines(tmp_path, "beats") == beats
        assert len(lines(tmp_path, "pids")) == 2

    def test_workers_have_one_thread(self, engine, tmp_path, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "4")
        engine.run(jobs_in(tmp_path, a=1), works.threads, tmp_path, lambda units: None)
        assert lines(tmp_path, "threads") == ["1,1"]

    def test_two_jobs_of_one_name_are_refused(self, engine, tmp_path):
        with pytest.raises(ValueError, match="same key"):
            engine.run(jobs_in(tmp_path, a=1) * 2, works.ordinary, tmp_path, lambda units: None)
