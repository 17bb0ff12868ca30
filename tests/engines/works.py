"""Work functions for the tests: they leave a line in a file when they begin and when they have done."""

import errno
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from wslbench.engines import Job
from wslbench.errors import RecipeError, ZooError

STEPS = 4


class Task(NamedTuple):
    """A payload."""

    folder: Path
    name: str
    cost: float


def jobs_in(folder: Path, **costs: float) -> list[Job]:
    return [Job(name, cost, Task(folder, name, cost)) for name, cost in costs.items()]


def lines(folder: Path, name: str) -> list[str]:
    path = folder / name
    return path.read_text().split() if path.exists() else []


def write_line(folder: Path, name: str, line: object) -> None:
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def ordinary(task: Task, report) -> None:
    write_line(task.folder, "begun", task.name)
    write_line(task.folder, "pids", os.getpid())
    for _ in range(STEPS):
        time.sleep(0.06)
        report(task.cost / STEPS)
    write_line(task.folder, "done", task.name)


def boastful(task: Task, report) -> None:
    """Reports more than its cost."""
    time.sleep(0.3)
    report(3 * task.cost)
    ordinary(task, report)


def killed_once(task: Task, report) -> None:
    """The job ``victim`` is killed half-way when it is done for the first time."""
    if task.name == "victim" and "victim" not in lines(task.folder, "begun"):
        write_line(task.folder, "begun", task.name)
        time.sleep(0.25)  # longer than a report is held back
        report(task.cost / 2)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    ordinary(task, report)


def killed_always(task: Task, report) -> None:
    if task.name == "victim":
        write_line(task.folder, "begun", task.name)
        os.kill(os.getpid(), signal.SIGKILL)
    ordinary(task, report)


def exits(task: Task, report) -> None:
    os._exit(3)


def disk_is_full(task: Task, report) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(task.folder / "weights.safetensors"))


def disk_is_full_they_say(task: Task, report) -> None:
    try:
        disk_is_full(task, report)
    except OSError as error:
        raise ZooError(f"{task.folder} cannot be made") from error


def bad_recipe(task: Task, report) -> None:
    raise RecipeError(f"recipe {task.name!r}: no such thing")


def bad_value(task: Task, report) -> None:
    raise ValueError("three is not two")


class AwkwardError(Exception):
    """Cannot be unpickled: it takes two arguments and keeps one."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


def awkward(task: Task, report) -> None:
    raise AwkwardError("a fault", "a place")


def asleep(task: Task, report) -> None:
    """Works for longer than any test."""
    write_line(task.folder, "pids", os.getpid())
    for _ in range(600):
        write_line(task.folder, "beats", task.name)
        time.sleep(0.25)
        report(task.cost / 600)


def threads(task: Task, report) -> None:
    import torch

    write_line(task.folder, "threads", f"{torch.get_num_threads()},{os.environ['OPENBLAS_NUM_THREADS']}")


def signals(task: Task, report) -> None:
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    write_line(task.folder, "blocked", blocked)


def on_a_doomed_node(task: Task, report) -> None:
    """Never ends on the node that the file ``doomed`` names; elsewhere when the file ``lost`` is there."""
    import ray

    write_line(task.folder, "begun", task.name)
    node = ray.get_runtime_context().get_node_id()
    if lines(task.folder, "doomed") == [node]:
        write_line(task.folder, "begun_there", task.name)
        time.sleep(600)
    while not (task.folder / "lost").exists():
        time.sleep(0.05)
    write_line(task.folder, "done", task.name)
