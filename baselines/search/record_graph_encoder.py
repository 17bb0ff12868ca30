"""Record how the settings of ``graph_encoder`` were chosen: ``graph_encoder.json``.

``python baselines/search/record_graph_encoder.py`` fits every setting on two thirds of the cells of one fold's train
side and scores it on the last third, three times over. Test cells are not even read. It goes on where it was stopped.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold

from wslbench import load_zoo
from wslbench.tasks import load_tasks, prepare
from wslbench.typing import Context, TaskInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from graph_encoder import GraphEncoder, Settings

RECORD = Path(__file__).with_name("graph_encoder.json")
TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy")
FOLD, INNER_FOLDS, SEED = 0, 3, 0
BASE = Settings()
TRIED = {
    "chosen": BASE,
    "one layer": BASE._replace(layers=1),
    "three layers": BASE._replace(layers=3),
    "half as wide": BASE._replace(width=16, edge_width=8),
    "twice as wide": BASE._replace(width=64, edge_width=32),
    "no dropout": BASE._replace(dropout=0.0),
    "more dropout": BASE._replace(dropout=0.4),
    "half the rate": BASE._replace(schedule=BASE.schedule._replace(rate=1e-3)),
    "twice the rate": BASE._replace(schedule=BASE.schedule._replace(rate=4e-3)),
    "no averaging": BASE._replace(schedule=BASE.schedule._replace(averaging=0.0)),
}


def main() -> None:
    """Try every setting on every task that the record does not hold yet."""
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name, settings in TRIED.items():
        for task_id in TASKS:
            found = record.setdefault(task_id, {})
            if name not in found:
                found[name] = {"settings": described(settings), **scored(task_id, settings)}
                RECORD.write_text(json.dumps(record, indent=1) + "\n")
                print(task_id, name, found[name])


def scored(task_id: str, settings: Settings) -> dict[str, Any]:
    """Scores of a setting on held-out cells of the train side, one an inner fold, and the seconds that a fit took."""
    task = load_tasks()[task_id]
    zoo = load_zoo(task.zoo)
    problem = prepare(task, zoo)
    rows = problem.train(problem.folds[FOLD])
    groups = np.unique(rows["cell_id"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    models, target = zoo.models(rows["model_id"].to_numpy(dtype=object)), rows["target"].to_numpy()
    scores, seconds = [], []
    for train, test in GroupKFold(INNER_FOLDS, shuffle=True, random_state=SEED).split(groups, groups=groups):
        started = time.monotonic()
        context = Context(
            task=TaskInfo(task.id, task.kind, task.target),
            classes=problem.classes,
            groups=groups[train],
            seed=SEED,
            device="cpu",
            deadline=started + 600,
        )
        method = GraphEncoder(settings)
        method.fit(models[train], target[train], context)
        seconds.append(time.monotonic() - started)
        prediction = method.predict(models[test])
        if problem.classes:
            named = np.array(problem.classes, dtype=object)[prediction.argmax(axis=1)]
            scores.append(balanced_accuracy_score(target[test].astype(str), named.astype(str)))
        else:
            scores.append(kendalltau(target[test].astype(np.float64), prediction).statistic)
    return {
        "scores": [round(float(score), 4) for score in scores],
        "mean": round(float(np.mean(scores)), 4),
        "seconds": round(float(np.mean(seconds)), 1),
    }


def described(settings: Settings) -> dict[str, Any]:
    """Settings as JSON."""
    return {**settings._asdict(), "schedule": settings.schedule._asdict()}


if __name__ == "__main__":
    main()
