"""The ray engine on small clusters of this machine: what holds for every engine, lost nodes, nodes that differ."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tests.engines import works
from tests.engines.contract import EngineContract, wait_until_gone
from tests.engines.sleepers import start_sleepers
from tests.engines.works import jobs_in, lines
from wslbench.errors import ZooError

ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from wslbench.engines import nodes, ray_engine, ray_session  # noqa: E402
from wslbench.engines.nodes import Token, check_nodes, token_in  # noqa: E402
from wslbench.engines.ray_engine import RayEngine  # noqa: E402
from wslbench.engines.ray_progress import Mailbox, tell  # noqa: E402

SMALL = {"object_store_memory": ray_session.OBJECT_STORE_BYTES}


@pytest.fixture(scope="module", autouse=True)
def environment():
    """No token in the home folder of whoever runs the tests, and nothing sent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.mark.slow
def test_an_interrupt_ends_a_cluster_of_our_own(environment, tmp_path):
    process = start_sleepers(tmp_path, "ray")
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    workers = set(map(int, lines(tmp_path, "pids")))
    assert workers < set(family)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all of the group
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 42
    assert output == ""
    assert wait_until_gone(family)


@pytest.mark.slow
def test_workers_leave_when_their_driver_is_killed(environment, tmp_path):
    process = start_sleepers(tmp_path, "ray")
    process.kill()
    process.communicate()
    assert wait_until_gone(map(int, lines(tmp_path, "pids")))


def test_no_cluster_at_the_address(environment, tmp_path):
    """In a process of its own, as one that is connected already would not look."""
    script = (
        "from pathlib import Path; from wslbench.engines import Job, make_engine\n"
        f"make_engine('ray', 2, '127.0.0.1:9').run([Job('a', 1, None)], print, Path({str(tmp_path)!r}), print)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "ZooError: no ray cluster answers at '127.0.0.1:9'" in ended.stderr


def test_a_node_without_wslbench_says_so(tmp_path):
    question = tmp_path / "question"
    question.write_bytes(ray.cloudpickle.dumps(nodes._question()))
    script = (
        "import sys; sys.modules['wslbench'] = None; import ray; "
        f"print(ray.cloudpickle.loads(open({str(question)!r}, 'rb').read())('a', 'b'))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert answer.startswith("ModuleNotFoundError")


@pytest.fixture(scope="module")
def cluster(environment):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, **SMALL})
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def session(cluster):
    """One connection for all tests; the engine uses it as it is."""
    with ray_session.ray_session(2, cluster.address):
        yield


class TestRayEngine(EngineContract):
    workers_start_together = False

    @pytest.fixture
    def engine(self, session, cluster):
        return RayEngine(2, cluster.address)


def test_work_goes_on_when_the_progress_actor_dies(session, tmp_path, monkeypatch):
    class DyingMailbox(Mailbox):
        def collect(self):
            ray.kill(self.tally, no_restart=True)
            return super().collect()

    monkeypatch.setattr(ray_engine, "Mailbox", DyingMailbox)
    told = []
    RayEngine(2).run(jobs_in(tmp_path, a=1, b=2, c=3), works.ordinary, tmp_path, told.append)
    assert sorted(lines(tmp_path, "done")) == ["a", "b", "c"]
    assert told[-1] == 6


def test_a_restarted_progress_actor_takes_further_reports(session):
    mailbox = Mailbox()
    tell(mailbox.tally, 7, 1.0)
    ray.kill(mailbox.tally, no_restart=False)
    collected, deadline = {}, time.monotonic() + 20
    while not collected and time.monotonic() < deadline:
        tell(mailbox.tally, 7, 2.0)
        time.sleep(0.1)
        collected = mailbox.collect()
    assert collected.keys() == {7}
    assert collected[7] % 2 in (0, 1)


def test_a_node_that_does_not_see_the_folder_is_named(session, tmp_path):
    with pytest.raises(ZooError, match=r"node .* does not see .*every node must see"):
        check_nodes(Token(tmp_path / "absent", "text"))


def test_a_task_that_does_not_see_the_folder_does_nothing(session, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_engine, "check_nodes", lambda token: token.path.unlink())  # as on a node that came later
    with pytest.raises(ZooError, match="every node must see"):
        RayEngine(2).run(jobs_in(tmp_path, a=1), works.ordinary, tmp_path, lambda units: None)
    assert lines(tmp_path, "begun") == []


def test_a_node_with_other_code_is_refused(session, tmp_path, monkeypatch):
    there = nodes.code_versions()
    monkeypatch.setattr(nodes, "code_versions", lambda: there | {"torch": "1.0"})
    with token_in(tmp_path) as token, pytest.raises(ZooError, match=r"has torch .*\(here 1\.0\): all nodes must"):
        check_nodes(token)


@pytest.mark.slow
def test_a_lost_node_loses_no_job(session, cluster, tmp_path):
    """The last test: for a while ray asks a lost node in vain."""
    node = cluster.add_node(num_cpus=2, **SMALL)
    works.write_line(tmp_path, "doomed", node.node_id)

    def lose_the_node():
        while len(lines(tmp_path, "begun_there")) < 2:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        (tmp_path / "lost").touch()

    threading.Thread(target=lose_the_node, daemon=True).start()
    told = []
    RayEngine(2).run(jobs_in(tmp_path, a=1, b=1, c=1, d=1, e=1), works.on_a_doomed_node, tmp_path, told.append)
    assert sorted(lines(tmp_path, "done")) == ["a", "b", "c", "d", "e"]
    assert sorted(lines(tmp_path, "begun")) == sorted(["a", "b", "c", "d", "e", *lines(tmp_path, "begun_there")])
    assert told[-1] == 5
