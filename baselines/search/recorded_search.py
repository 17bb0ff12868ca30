"""What the recorders share: settings are scored on cells of one fold's train side, and a file says what came out.

``record`` fits every setting on two thirds of the cells of one fold's train side and scores it on the last third, three
times over. That fold's test cells are not even read; the other folds' test cells are among its train cells, as those
of one fold always are. What a file holds already is not done again, so a search goes on where it was stopped.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold

from wslbench import Models, load_zoo
from wslbench.tasks import Problem, load_tasks, prepare
from wslbench.typing import Context, Method, TaskInfo
from wslbench.zoo import Zoo

FOLDER = Path(__file__).parent
if str(FOLDER.parent) not in sys.path:
    sys.path.insert(0, str(FOLDER.parent))  # where the baselines are, which import each other by name

INNER_FOLDS, SEED = 3, 0


class Settings(Protocol):
    """Settings are named tuples, with the schedule of the training as one of them."""

    @property
    def schedule(self) -> Any: ...

    def _asdict(self) -> dict[str, Any]: ...


class TrainSide(NamedTuple):
    """What a method may see of one fold.

    Attributes
    ----------
    problem
        The task's models, folds and targets.
    models, target, cells
        Of the train models: weights, phases or values, and the number of each one's cell.
    """

    problem: Problem
    models: Models
    target: npt.NDArray[Any]
    cells: npt.NDArray[np.int64]

    def context(self, rows: npt.NDArray[np.int64] | slice = slice(None)) -> Context:
        """What ``fit`` is told about the train models at these rows."""
        task = self.problem.task
        return Context(
            task=TaskInfo(task.id, task.kind, task.target),
            classes=self.problem.classes,
            groups=self.cells[rows],
            seed=SEED,
            device="cpu",
            deadline=math.inf,
        )


def train_side(problem: Problem, zoo: Zoo, fold: int) -> TrainSide:
    """The train models of a fold."""
    rows = problem.train(fold)
    cells = np.unique(rows["cell_id"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    return TrainSide(problem, zoo.models(rows["model_id"].to_numpy(dtype=object)), rows["target"].to_numpy(), cells)


def record(
    path: Path, make: Callable[[Any], Method], tried: Mapping[str, Settings], tasks: tuple[str, ...]
) -> dict[str, Any]:
    """Try every setting on every task, write what came out, and print it as a table.

    Parameters
    ----------
    path
        The record: under the name of each setting its numbers, and for each task the scores, one an inner fold, and
        the mean seconds of a fit.
    make
        A method with some settings.
    tried
        Settings by name.
    tasks
        Ids of the tasks.
    """
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name, settings in tried.items():
        described = json.loads(json.dumps({**settings._asdict(), "schedule": settings.schedule._asdict()}))
        entry = found.setdefault(name, {"settings": described, "tasks": {}})
        if entry["settings"] != described:
            entry.update(settings=described, tasks={})
        for task in tasks:
            if task not in entry["tasks"]:
                entry["tasks"][task] = scored(task, lambda settings=settings: make(settings))  # type: ignore[misc]
                path.write_text(json.dumps(found, indent=1) + "\n")
                print(name, task, entry["tasks"][task], flush=True)
    print(as_markdown(found, tasks))
    return found


def scored(task_id: str, make: Callable[[], Method]) -> dict[str, Any]:
    """Scores of a fresh method on held-out cells of the first fold's train side."""
    task = load_tasks()[task_id]
    zoo = load_zoo(task.zoo)
    problem = prepare(task, zoo)
    side = train_side(problem, zoo, problem.folds[0])
    deals = GroupKFold(INNER_FOLDS, shuffle=True, random_state=SEED).split(side.cells, groups=side.cells)
    scores, seconds = [], []
    for train, test in deals:
        method, started = make(), time.monotonic()
        method.fit(side.models[train], side.target[train], side.context(train))
        seconds.append(time.monotonic() - started)
        scores.append(score(side.target[test], method.predict(side.models[test]), problem.classes))
    return {"scores": np.round(scores, 4).tolist(), "seconds": round(float(np.mean(seconds)), 1)}


def score(target: npt.NDArray[Any], prediction: npt.NDArray[Any], classes: tuple[str, ...]) -> float:
    """Balanced accuracy of phases, Kendall's τ of values."""
    if classes:
        named = np.array(classes)[prediction.argmax(axis=1)]
        return float(balanced_accuracy_score(target.astype(str), named))
    return float(kendalltau(target.astype(np.float64), prediction).statistic)


def as_markdown(found: Mapping[str, Any], tasks: tuple[str, ...]) -> str:
    """A row a setting: the mean score on each task, and the mean of those where none is missing."""
    lines = ["| settings | " + " | ".join(f"`{task}`" for task in tasks) + " | mean |"]
    lines.append("|---|" + "---:|" * (len(tasks) + 1))
    for name, entry in found.items():
        means = [_mean(entry["tasks"].get(task)) for task in tasks]
        whole = None if None in means else float(np.mean([mean for mean in means if mean is not None]))
        numbers = ["–" if mean is None else f"{mean:.3f}".replace("0.", ".", 1) for mean in (*means, whole)]
        lines.append(f"| {name} | " + " | ".join(numbers) + " |")
    return "\n".join(lines)


def _mean(found: Mapping[str, Any] | None) -> float | None:
    return None if found is None else float(np.mean(found["scores"]))
