"""Record which settings ``weight_statistics`` chooses, for every fold of every task: ``weight_statistics.json``.

``python baselines/search/record_weight_statistics.py`` fits the baseline on the train side of each fold, as an
evaluation does, and writes the loss of every setting that it tried. Test cells are not even read.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from wslbench import load_zoo
from wslbench.tasks import Problem, load_tasks, prepare
from wslbench.typing import Context, TaskInfo
from wslbench.zoo import Zoo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from weight_statistics import LEAVES, ROUNDS, WeightStatistics

RECORD = Path(__file__).with_name("weight_statistics.json")
SEED = 0


def main() -> None:
    """Search on every fold's train side and write the record."""
    zoos: dict[str, Zoo] = {}
    tasks: dict[str, Any] = {}
    for task in load_tasks().select():
        needed = [zoos.setdefault(name, load_zoo(name)) for name in task.zoos]
        zoo, problem = needed[0], prepare(task, *needed)
        tasks[task.id] = {"split": problem.hashes.split, "folds": [search(zoo, problem, k) for k in problem.folds]}
        print(task.id, [(fold["leaves"], fold["rounds"]) for fold in tasks[task.id]["folds"]])
    record = {
        "seed": SEED,
        "tried": {"leaves": LEAVES, "rounds": ROUNDS},
        "loss": "inner folds of whole cells: log loss with phases weighted alike, or squared error",
        "zoos": {name: zoo.versions for name, zoo in zoos.items()},
        "tasks": tasks,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


def search(zoo: Zoo, problem: Problem, fold: int) -> dict[str, Any]:
    """What the search finds on the train side of one fold."""
    rows = problem.train(fold)
    context = Context(
        task=TaskInfo(problem.task.id, problem.task.kind, problem.task.target),
        classes=problem.classes,
        groups=np.unique(rows["cell_id"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64),
        seed=SEED,
        device="cpu",
        deadline=time.monotonic() + 600,
    )
    method = WeightStatistics()
    method.fit(zoo.models(rows["model_id"].to_numpy(dtype=object)), rows["target"].to_numpy(), context)
    leaves, rounds = method.settings
    losses = {f"{leaves} leaves, {rounds} rounds": round(loss, 5) for (leaves, rounds), loss in method.search.items()}
    return {"fold": fold, "leaves": leaves, "rounds": rounds, "losses": losses}


if __name__ == "__main__":
    main()
