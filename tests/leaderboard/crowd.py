"""A crowd of methods on many tasks: results as they stand on a board, made up from those of one small zoo.

Every task is one of the tiny zoo's under another name. A method's record on it is a real one with its name and its
numbers moved, and its draws are moved by as much: values, intervals, ranks and points are as many, and as unlike, as
real ones would be. Nothing here says anything about how methods compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.floors import FLOORS
from wslbench.evaluation.result_schema import Estimate
from wslbench.leaderboard import Results, read_results
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.points import MOST, Points
from wslbench.leaderboard.results import TaskEntries
from wslbench.tasks import PHASES, Task, TaskBook
from wslbench.zoo import Zoo

TARGETS = ("phase", "test-accuracy", "loss-gap", "phase@new-load", "test-accuracy@new-load", "loss-gap@new-load")


def crowd(folder: Path, zoo: Zoo, methods: int, tasks: int) -> tuple[Results, TaskBook]:
    """So many methods, floors among them, on so many tasks.

    Returns
    -------
    The results, and a book with the suites ``default`` (18 of the tasks, or all), ``full`` (all) and ``quick`` (2).
    """
    book = tiny_tasks(folder)
    originals = [book[f"{NAME}.{target}"] for target in TARGETS]
    for task in originals:
        for number, name in enumerate((*FLOORS, "model")):
            commit(task, zoo, folder / "results", name, 0.5 + number)
    found = {each.task.id: each for each in read_results([folder / "results"], book, originals, lambda name: zoo).tasks}
    asked = [_renamed(originals[number % len(originals)], number // len(originals)) for number in range(tasks)]
    random = np.random.default_rng(0)
    entries = [
        TaskEntries(task, _everyone(found[originals[number % len(originals)].id].entries, task, methods, random))
        for number, task in enumerate(asked)
    ]
    ids = tuple(task.id for task in asked)
    suites = {"default": ids[:18], "full": ids, "quick": ids[:2]}
    return Results(entries, [], []), TaskBook({task.id: task for task in asked}, suites)


def _renamed(task: Task, number: int) -> Task:
    target = f"{task.target}-{number}"
    return replace(task, target=target, id=task.id.replace(task.target, target, 1))


def _everyone(entries: Sequence[Entry], task: Task, methods: int, random: np.random.Generator) -> list[Entry]:
    model = next(entry for entry in entries if entry.record.method.name == "model")
    floors = [_answered(_of_task(entry, task), random) for entry in entries if entry is not model]
    return [*floors, *(_moved(model, task, f"method_{number:03}", random) for number in range(methods - len(floors)))]


def _of_task(entry: Entry, task: Task) -> Entry:
    about = entry.record.task.model_copy(update={"id": task.id, "target": task.target})
    return replace(entry, record=entry.record.model_copy(update={"task": about}))


def _moved(entry: Entry, task: Task, name: str, random: np.random.Generator) -> Entry:
    """The result of another method: every estimate and every draw moved by one amount, points by noise."""
    entry = _answered(_of_task(entry, task), random)
    record, by = entry.record, float(random.normal(0, 0.05))
    metrics = {metric: _moved_estimate(estimate, by) for metric, estimate in record.metrics.items()}
    cost = record.cost.model_copy(update={"fit_seconds": float(random.lognormal(2, 1.5))})
    method = record.method.model_copy(update={"name": name, "file": f"{name}.py"})
    moved = record.model_copy(update={"method": method, "metrics": metrics, "cost": cost})
    return Entry(moved, entry.draws + by + random.normal(0, 0.02, size=len(entry.draws)), entry.tail, entry.points)


def _answered(entry: Entry, random: np.random.Generator) -> Entry:
    """The same with as many points as a picture has at most; the truth is one, whoever answers."""
    if entry.points is None:
        return entry
    truth = np.sin(np.arange(MOST))
    points = Points(truth, truth + random.normal(0, 0.5, size=MOST), np.arange(MOST) % len(PHASES))
    return replace(entry, points=points)


def _moved_estimate(estimate: Estimate, by: float) -> Estimate:
    ends = {name: getattr(estimate, name) for name in ("value", "low", "high")}
    return estimate.model_copy(update={name: None if end is None else end + by for name, end in ends.items()})
