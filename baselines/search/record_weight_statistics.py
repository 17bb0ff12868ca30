"""Record which settings ``weight_statistics`` chooses, for every fold of every task: ``weight_statistics.json``.

``python baselines/search/record_weight_statistics.py`` fits the baseline on the train side of each fold, as an
evaluation does, and writes the loss of every setting that it tried. Test cells are not even read.
"""

from __future__ import annotations

import json
from typing import Any

from recorded_search import FOLDER, SEED, TrainSide, train_side

from wslbench import load_zoo
from wslbench.tasks import load_tasks, prepare
from wslbench.zoo import Zoo

from weight_statistics import LEAVES, ROUNDS, WeightStatistics  # isort: skip - recorded_search says where it is

RECORD = FOLDER / "weight_statistics.json"


def main() -> None:
    """Search on every fold's train side and write the record."""
    zoos: dict[str, Zoo] = {}
    tasks: dict[str, Any] = {}
    for task in load_tasks().select():
        needed = [zoos.setdefault(name, load_zoo(name)) for name in task.zoos]
        zoo, problem = needed[0], prepare(task, *needed)
        tasks[task.id] = {"split": problem.hashes.split, "folds": []}
        for fold in problem.folds:
            tasks[task.id]["folds"].append({"fold": fold, **search(train_side(problem, zoo, fold))})
        print(task.id, [(fold["leaves"], fold["rounds"]) for fold in tasks[task.id]["folds"]])
    record = {
        "seed": SEED,
        "tried": {"leaves": LEAVES, "rounds": ROUNDS},
        "loss": "inner folds of whole cells: log loss with phases weighted alike, or squared error",
        "zoos": {name: zoo.versions for name, zoo in zoos.items()},
        "tasks": tasks,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


def search(side: TrainSide) -> dict[str, Any]:
    """What the search finds on one fold's train side."""
    method = WeightStatistics()
    method.fit(side.models, side.target, side.context())
    leaves, rounds = method.settings
    losses = {f"{leaves} leaves, {rounds} rounds": round(loss, 5) for (leaves, rounds), loss in method.search.items()}
    return {"leaves": leaves, "rounds": rounds, "losses": losses}


if __name__ == "__main__":
    main()
