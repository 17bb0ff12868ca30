"""What a method finds in the sandbox when it looks, writes, talks, grows and multiplies: walls, and limits.

The tricks of whole methods, and what each tier says to them, are in ``tests/redteam``.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import indent
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.evaluation.conftest import NUMBERS_UNIT, RunMethod, WriteMethod
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.bundled import bundled_path
from wslbench.errors import WslbenchError
from wslbench.evaluation import Limits, Progress, ResultRecord, Settings, bubblewrap, evaluate
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.sandbox import Sandbox, sandbox_for
from wslbench.evaluation.sealing import bundled_data
from wslbench.evaluation.tier import isolation_for
from wslbench.evaluation.unit import UnitResult, run_unit

METHOD = """
import ctypes, mmap, os, socket, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np

class Method:
    def fit(self, models, target, context):
{fit}
    def predict(self, models):
        {predict}
"""
LEARNS = "return np.array([float(m.tensors()['fc.bias'].sum()) for m in models])"
WHICH = pytest.mark.parametrize("fork", [True, False], ids=["forked", "spawned"])


def method(fit: str = "pass", predict: str = LEARNS) -> str:
    return METHOD.format(fit=indent(fit, " " * 8), predict=predict)


def passed(result: UnitResult) -> bool:
    """Whether the method found what it asserts."""
    assert result.failure is None, result.failure.message
    return True


def test_a_unit_sees_its_own_processes_and_scratch_folder_alone(run_sandboxed: RunMethod) -> None:
    fit = """
assert os.getpid() == 2 and os.getppid() == 1
assert {name for name in os.listdir("/proc") if name.isdigit()} == {"1", "2"}
folders = {Path.home(), Path(tempfile.gettempdir()), Path.cwd()}
assert len(folders) == 3 and not any(list(folder.iterdir()) for folder in folders), folders
assert not any(path.is_file() for folder in folders for path in folder.parent.rglob("*"))
Path("left").write_text("label")
Path("/dev/shm/left").write_text("label")"""
    assert passed(run_sandboxed(method(fit)))
    assert passed(run_sandboxed(method(fit)))


def test_a_unit_has_no_power(run_sandboxed: RunMethod) -> None:
    fit = """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
assert {int(value, 16) for name, value in status.items() if name.startswith("Cap")} == {0}, status
assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
libc = ctypes.CDLL(None, use_errno=True)
for namespace in (0x00020000, 0x10000000, 0x20000000, 0x40000000):
    assert libc.unshare(namespace) == -1, hex(namespace)
assert libc.umount2(b"/proc", 2) == libc.umount2(b"/tmp/wslbench-unit", 2) == -1
assert libc.mount(b"x", b"/tmp/wslbench-unit/work", b"tmpfs", 0, None) == -1
assert subprocess.run(["kill", "-9", "1"]).returncode == 0 and os.getppid() == 1  # the kernel does not hear it"""
    assert passed(run_sandboxed(method(fit)))


def test_a_unit_talks_to_nobody(run_sandboxed: RunMethod) -> None:
    fit = """
assert [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]] == ["lo"]
for address in ("127.0.0.1", "192.0.2.1"):
    with socket.socket() as sock:
        sock.settimeout(5)
        try: sock.connect((address, 80))
        except OSError as error: assert error.errno == 101, error  # the network is unreachable
        else: raise AssertionError(address)
libc = ctypes.CDLL(None, use_errno=True)
calls = {"x86_64": (248, 29, 319, 425), "aarch64": (217, 194, 279, 425)}[os.uname().machine]
for call in calls:
    assert libc.syscall(call, b"user", b"label", b"x", 1, -4) == -1 and ctypes.get_errno() == 38, call"""
    assert passed(run_sandboxed(method(fit)))


def test_what_was_handed_over_cannot_be_changed(run_sandboxed: RunMethod) -> None:
    fit = """
for name in os.listdir("/proc/self/fd"):
    path = Path("/proc/self/fd", name)
    if "wslbench-bundle" in (os.readlink(path) if path.is_symlink() else ""):
        for change in (lambda: os.truncate(path, 0), lambda: os.truncate(path, 2**40),
                       lambda: os.pwrite(os.open(path, os.O_RDWR), b"x", 0)):
            try: change()
            except OSError: continue
            raise AssertionError(path)"""
    assert passed(run_sandboxed(method(fit)))


def test_libraries_that_share_memory_between_processes_work(run_sandboxed: RunMethod) -> None:
    fit = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]"""
    assert passed(run_sandboxed(method(fit)))


@pytest.mark.parametrize(
    "fit",
    [
        "self.x = [np.ones(2**23) for _ in range(64)]; time.sleep(30)",
        "open('/dev/shm/much', 'wb').write(bytes(2**28 - 2**20)); self.x = np.ones(2**24); time.sleep(30)",
        "self.x = mmap.mmap(-1, 2**29); self.x.write(bytes(2**29)); time.sleep(30)",
    ],
    ids=["own", "scratch", "shared"],
)
def test_memory_of_every_kind_is_limited(run_sandboxed: RunMethod, fit: str) -> None:
    result = run_sandboxed(method(fit), limits=Limits(30.0, 350 * 2**20))
    assert result.failure is not None
    assert result.failure.kind == "out_of_memory"


def test_memory_is_measured_as_in_the_tier_below(run_sandboxed: RunMethod, run_method: RunMethod) -> None:
    source = method("self.x = np.ones(2**24); time.sleep(1)")
    inside, outside = run_sandboxed(source).peak_memory_bytes, run_method(source).peak_memory_bytes
    assert inside == pytest.approx(outside, rel=0.2)


def test_the_scratch_folder_has_an_end(run_sandboxed: RunMethod) -> None:
    failure = run_sandboxed(method("open('much', 'wb').write(bytes(2**29))")).failure
    assert failure is not None
    assert "No space left" in failure.message


def test_processes_are_counted(run_sandboxed: RunMethod) -> None:
    fit = """
while True:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)"""
    failure = run_sandboxed(method(fit), limits=Limits(30.0, processes=20)).failure
    assert failure is not None
    assert failure.kind == "crashed"
    assert "more than the 20 of a unit" in failure.message


@pytest.mark.slow
def test_a_fork_bomb_is_put_out(run_sandboxed: RunMethod) -> None:
    numbers = Path("/proc/sys/kernel/pid_max").read_text()
    failure = run_sandboxed(method("while True: os.fork()")).failure
    assert failure is not None
    assert failure.kind in ("crashed", "out_of_memory", "fit_error")  # the last where the kernel has stopped it first
    assert Path("/proc/sys/kernel/pid_max").read_text() == numbers  # of the machine, that is


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        ("os.kill(os.getpid(), 11)", "killed by signal 11"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("os._exit(3)", "exit code 3"),
    ],
)
def test_how_the_method_ended_is_told(run_sandboxed: RunMethod, fit: str, said: str) -> None:
    failure = run_sandboxed(method(f"print('last words'); {fit}")).failure
    assert failure is not None
    assert said in failure.message
    assert failure.output == "last words"


@WHICH
def test_no_process_outlives_its_unit(method_folder: Path, sandbox: Sandbox, fork: bool) -> None:
    daemon = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(77.5)"
    path = method_folder / "daemon.py"
    path.write_text(method(f"subprocess.run([sys.executable, '-S', '-c', {daemon!r}]); time.sleep(.1)"))
    with Launcher([], fork, sandbox) as launcher:
        assert passed(run_unit(NUMBERS_UNIT, read_method_file(path), launcher, Limits(60.0), threading.Event()))
        assert not [each for each in psutil.process_iter(["cmdline"]) if "77.5" in str(each.info["cmdline"])]


def test_everything_ends_with_an_evaluator_that_is_killed(method_folder: Path, sandbox: Sandbox) -> None:
    path = method_folder / "sleeper.py"
    path.write_text(method("subprocess.run(['sleep', '88.5'])"))
    script = f"""
import threading
from pathlib import Path
from tests.evaluation.conftest import NUMBERS_UNIT
from wslbench.evaluation import Limits
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.sandbox import sandbox_for
from wslbench.evaluation.unit import run_unit
method = read_method_file({str(path)!r})
with Launcher([], sandbox=sandbox_for(method, 2**28)) as launcher:
    run_unit(NUMBERS_UNIT, method, launcher, Limits(60.0), threading.Event())
"""
    with subprocess.Popen([sys.executable, "-c", script]) as evaluator:
        limit = time.monotonic() + 60
        while not _sleepers():
            assert evaluator.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.05)
        kin = psutil.Process(evaluator.pid).children(recursive=True)
        assert len(kin) >= 6  # bubblewrap twice; server, warden, process 1, child, and what it started
        evaluator.kill()
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in kin):
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert not _sleepers()


def _sleepers() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "88.5"]]


@pytest.fixture
def run(built_tiny_zoo: Path, tmp_path: Path):
    """Evaluate on the tiny zoo, a seed, in the sandbox unless told otherwise."""
    if bubblewrap.obstacle() is not None:
        pytest.skip(str(bubblewrap.obstacle()))
    book = tiny_tasks(tmp_path)

    def evaluate_here(path: Path, settings: Settings = Settings(isolation="sandbox"), **more: Any):  # noqa: B008
        more = {"seeds": 1, "out": tmp_path / "out"} | more
        (record,) = evaluate(
            path, (f"{NAME}.test-accuracy",), settings=settings, book=book, zoos={NAME: built_tiny_zoo}, **more
        )
        return record

    return evaluate_here


DRAWS = method(
    "self.w = np.random.default_rng(context.seed).normal(size=len(models)) @ target",
    "return self.w + np.array([m.tensors()['fc.bias'].sum() for m in models])",
)
TRAINS = """
import numpy as np
import torch

def inputs(models):
    return torch.tensor(np.array([np.resize(m.tensors()["conv1.weight"], (1, 24)) for m in models]))

class Method:
    def fit(self, models, target, context):
        torch.manual_seed(context.seed)
        self.net = torch.nn.Sequential(
            torch.nn.Conv1d(1, 16, 3), torch.nn.ReLU(), torch.nn.BatchNorm1d(16), torch.nn.Flatten(),
            torch.nn.Dropout(), torch.nn.Linear(16 * 22, 64), torch.nn.GELU(), torch.nn.Linear(64, 1),
        )
        optimizer = torch.optim.Adam(self.net.parameters(), lr=0.01)
        x, y = inputs(models), torch.tensor(target, dtype=torch.float32)
        for _ in range(30):
            rows = torch.randperm(len(x))[:16]
            loss = torch.nn.functional.mse_loss(self.net(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def predict(self, models):
        with torch.no_grad():
            return self.net.eval()(inputs(models))[:, 0].numpy()
"""


@pytest.mark.parametrize("source", [DRAWS, pytest.param(TRAINS, marks=pytest.mark.slow)], ids=["draws", "trains"])
def test_both_tiers_give_the_same_numbers_on_any_number_of_jobs(
    run, write_method: WriteMethod, tmp_path: Path, source: str
) -> None:
    path = write_method(source)
    told: dict[str, ResultRecord] = {}
    for name, settings in {
        "process": Settings(),
        "one": Settings(jobs=1, isolation="sandbox"),
        "three": Settings(jobs=3, isolation="sandbox"),
    }.items():
        told[name] = run(path, settings, seeds=2, out=tmp_path / name)
        assert told[name].status == "ok"
    tables = {name: pd.read_parquet(tmp_path / f"{name}/method/{NAME}.test-accuracy.parquet") for name in told}
    for name in ("one", "three"):
        pd.testing.assert_frame_equal(tables[name], tables["process"], check_exact=True)
        assert told[name].metrics == told["process"].metrics
    assert {name: record.tier for name, record in told.items()} == {
        "process": "process", "one": "sandbox", "three": "sandbox",
    }  # fmt: skip


@pytest.mark.slow
def test_libraries_that_write_files_while_they_are_imported_work(run, write_method: WriteMethod) -> None:
    """Graph libraries import ``torch._dynamo``, which looks for a temporary folder then."""
    record = run(write_method("import torch._dynamo\n" + method()))
    assert (record.status, record.tier) == ("ok", "sandbox")


def test_a_resumed_run_does_not_mix_tiers(run, write_method: WriteMethod) -> None:
    path = write_method(method())
    seen: list[Progress] = []
    for settings in (Settings(), Settings(isolation="sandbox"), Settings(isolation="sandbox")):
        record = run(path, settings, on_progress=seen.append)
        assert record.tier == settings.isolation
    assert [progress.kept for progress in seen if progress.done == progress.total][-1] == len(record.units)
    assert sum(progress.kept == 0 and progress.done == progress.total for progress in seen) == 2


def test_a_machine_without_a_sandbox_says_so_in_the_result(
    run, write_method: WriteMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "obstacle", lambda: "there is no bwrap")
    record = run(write_method(method()))
    assert record.tier == "process"
    assert any("tier sandbox was asked for" in note and "there is no bwrap" in note for note in record.warnings)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("may_see_data", [True, False])
def test_data_sets_are_seen_by_those_alone_who_may(write_method: WriteMethod, may_see_data: bool) -> None:
    own = sandbox_for(read_method_file(write_method(method())), 2**20, may_see_data=may_see_data)
    listed = subprocess.run([*own.command_line(), "ls", *bundled_data()], capture_output=True, text=True, check=True)
    assert ("digits.csv.gz" in listed.stdout) == may_see_data


@pytest.mark.usefixtures("sandbox")
def test_what_ships_and_holds_answers_looks_empty(write_method: WriteMethod) -> None:
    own = sandbox_for(read_method_file(write_method(method())), 2**20)
    for name in ("results", "verified", "comparators"):
        assert next(bundled_path(name).iterdir())
        listed = subprocess.run([*own.command_line(), "ls", bundled_path(name)], capture_output=True, check=False)
        assert listed.stdout == b""


def test_what_the_sandbox_does_not_have_is_said_at_once() -> None:
    with pytest.raises(WslbenchError, match="no device but the CPU"):
        isolation_for("sandbox", "cuda:0")
    with pytest.raises(WslbenchError, match="Choose `process` or `sandbox`"):
        isolation_for("verified", "cpu")


def test_a_dead_server_is_replaced_by_plain_starts_in_the_sandbox(method_folder: Path, sandbox: Sandbox) -> None:
    path = method_folder / "pid.py"
    path.write_text(method("assert os.getppid() == 1"))
    with Launcher([], sandbox=sandbox) as launcher:
        assert launcher._server is not None
        launcher._server.kill()
        launcher._server.wait()
        assert passed(run_unit(NUMBERS_UNIT, read_method_file(path), launcher, Limits(60.0), threading.Event()))
