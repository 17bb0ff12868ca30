"""A tiny zoo, the same grown again, what an attacker knows about the machine, and the units of all tiers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import runpy
import secrets
import shutil
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests import zoos
from tests.evaluation.conftest import launcher, method_folder, sandbox, sandboxed_launcher  # noqa: F401
from tests.evaluation.synthetic import method as info
from tests.redteam.table import SECRET, Trick
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.bundled import bundled_path, embedded_zoos_path
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.sealing import bundled_data
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.tier import Isolation, Tier
from wslbench.evaluation.unit import Disguise, UnitResult, run_unit
from wslbench.tasks import Problem, prepare
from wslbench.tasks.regrown_problem import prepare_regrown
from wslbench.zoo import Zoo, load_zoo

TRICKS = Path(__file__).parent / "tricks"
DISGUISE = Disguise("permutation", 0)
_MEMORY = ctypes.create_string_buffer(SECRET)  # the evaluator's


@dataclass
class World:
    """The machine on which a trick is tried: what its author knows of it, and what it looks like afterwards.

    Attributes
    ----------
    known
        Paths and names that anybody can find out; they stand in the trick's own source.
    zoo
        The public one.
    scratch
        A folder of the evaluator's own.
    run
        What was asked, and what came of it.
    results, seconds
        How its units ended, and how long the longest was.
    """

    known: dict[str, object]
    zoo: Zoo
    listener: socket.socket
    scratch: Path
    run: TaskRun = field(init=False)
    results: list[UnitResult] = field(default_factory=list)
    seconds: float = 0.0

    def labels_were_predicted(self) -> bool:
        """Whether the last unit knows the labels of its test models, also of permuted ones where it was asked."""
        problem, last = self.run.problem, self.results[-1]
        truth = problem.test(len(self.results) - 1)["target"].to_numpy()
        told = [last.predictions, *last.disguised.values()]
        if problem.is_classification:
            classes = np.array(problem.classes)
            return all(values is not None and (classes[values.argmax(axis=1)] == truth).all() for values in told)
        return all(values is not None and np.allclose(values[:, 0], truth.astype(float), atol=1e-6) for values in told)

    def headline(self) -> float | None:
        """What the record says that anybody would read: the headline over all folds."""
        assert self.run.complete
        record = self.run.write(info(self.run.method.name), self.scratch / "scored", None)
        return record.metrics[record.task.headline].value

    def was_predicted(self, number: float) -> bool:
        """Whether the last unit found out this number."""
        predictions = self.results[-1].predictions
        return predictions is not None and bool((predictions == number).all())

    def content_was_predicted(self, name: str) -> bool:
        """Whether the last unit found out what stands in a file."""
        return self.was_predicted(zlib.crc32(Path(str(self.known[name])).read_bytes()))

    def is_running(self) -> bool:
        """Whether a process that bears the trick's mark is alive."""
        mark = str(self.known["mark"])
        return any(mark in (each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))

    def was_called(self) -> bool:
        """Whether anybody called the listener."""
        with contextlib.suppress(BlockingIOError):
            self.listener.accept()[0].close()
            return True
        return False


@pytest.fixture
def world(built_tiny_zoo: Path, tmp_path: Path) -> Iterator[World]:
    """A world of a trick's own, cleared afterwards."""
    copy = tmp_path / NAME
    shutil.copytree(built_tiny_zoo, copy)
    zoo = load_zoo(built_tiny_zoo)
    name = f"wslbench-redteam-{secrets.token_hex(8)}"
    (tmp_path / "results").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        known = {
            "embedded_zoo": "digits-cnn",
            "embedded": str(embedded_zoos_path() / "digits-cnn" / "models.parquet"),
            "results": str(min(bundled_path("results").rglob("*.parquet"))),
            "history": str(bundled_path("tasks.yaml").parent / ".git" / "HEAD"),
            "data": str(min(path for folder in bundled_data() for path in Path(folder).glob("*.csv*"))),
            "label_file": str(copy / "models.parquet"),
            "result_file": str(tmp_path / "results" / "forged.json"),
            "pid": os.getpid(),
            "address": ctypes.addressof(_MEMORY),
            "size": len(_MEMORY),
            "port": listener.getsockname()[1],
            "tmp": f"/tmp/{name}",
            "shm": f"/dev/shm/{name}",
            "key": name,
            "socket": name,
            "mark": name,
            "ipc": secrets.randbelow(2**30) + 1,
        }
        yield World(known, zoo, listener, tmp_path)
    for left in ("tmp", "shm"):
        Path(str(known[left])).unlink(missing_ok=True)
    _remove_kernel_objects(name.encode(), int(str(known["ipc"])))


@pytest.fixture(scope="session")
def regrown(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """The tiny zoo from other seeds: the same cells, other networks, and labels that differ by their noise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoos, "NOISE_SEED", zoos.NOISE_SEED + 100)
        patch.setattr(zoos, "WEIGHTS_SEED", zoos.WEIGHTS_SEED + 100)
        return zoos.make_tiny_zoo(tmp_path_factory.mktemp("regrown") / NAME)


@pytest.fixture
def attempt(world: World, method_folder: Path, request: pytest.FixtureRequest) -> Callable[[Trick, Tier], World]:  # noqa: F811
    """Run a trick's units in a tier."""

    def run(trick: Trick, tier: Tier) -> World:
        task = tiny_tasks(world.scratch)[f"{NAME}.{trick.task}"]
        public = prepare(task, world.zoo)
        if tier == "verified":
            regrown: Zoo = request.getfixturevalue("regrown")
            problem, asked = prepare_regrown(task, world.zoo, regrown).regrown, (world.zoo, regrown)
        else:
            problem, asked = public, (world.zoo,)
        own: Launcher = request.getfixturevalue("launcher" if tier == "process" else "sandboxed_launcher")
        source = (TRICKS / f"{trick.name}.py").read_text()
        path = method_folder / f"{trick.name}_{secrets.token_hex(4)}.py"
        path.write_text(source)
        known = dict(world.known)
        if trick.carries_a_table:
            known[trick.name] = _table(path, world.zoo, public)
        path.write_text(source.replace("KNOWN = {}", f"KNOWN = {known!r}"))
        disguises = (DISGUISE,) if trick.survives_permutation else ()
        world.run = TaskRun(
            problem=problem, zoos=asked, seeds=(0,), method=read_method_file(path),
            limits=Limits(trick.seconds, trick.memory_bytes, processes=20), device="cpu", disguises=disguises,
            isolation=Isolation(tier),
        )  # fmt: skip
        for name in world.run.units()[: trick.folds]:
            start = time.monotonic()
            result = run_unit(world.run.unit(name), world.run.method, own, world.run.limits, threading.Event())
            world.seconds = max(world.seconds, time.monotonic() - start)
            world.results.append(result)
            world.run.entries[name] = world.run.entry(name, result)
        return world

    return run


def _table(path: Path, zoo: Zoo, problem: Problem) -> dict[Any, float | str]:
    """What anybody can compute from the public zoo: the label of every network, by the trick's own key."""
    key = runpy.run_path(str(path))["key"]
    rows = problem.table
    label = str if problem.is_classification else float
    return {key(model): label(of) for model, of in zip(zoo.models(rows["model_id"]), rows["target"], strict=True)}


def _remove_kernel_objects(key: bytes, ipc: int) -> None:
    libc = ctypes.CDLL(None)
    segment = libc.shmget(ipc, 0, 0)
    if segment >= 0:
        libc.shmctl(segment, 0, None)
    keyctl = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
    if keyctl is not None:
        libc.syscall(keyctl, 9, libc.syscall(keyctl, 10, -4, b"user", key, 0), -4)  # unlink what a search finds
