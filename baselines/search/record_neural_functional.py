"""Record how the settings of ``neural_functional`` were chosen: ``neural_functional.json``.

``python baselines/search/record_neural_functional.py`` fits every setting on two thirds of the cells of one fold's
train side and scores it on the last third, three times over. Test cells are not even read. What the record holds
already is not done again.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.utils.class_weight import compute_sample_weight

from wslbench import load_zoo
from wslbench.tasks import Problem, load_tasks, prepare
from wslbench.typing import Context, TaskInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from neural_functional import NeuralFunctional, Settings
from neural_training import Schedule

RECORD = Path(__file__).with_name("neural_functional.json")
TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy", "convection-pinn.phase", "convection-pinn.error")
FOLD, INNER_FOLDS, SEED = 0, 3, 0
BASE = Settings(
    layers=2,
    units=16,
    pairs=4,
    head=32,
    dropout=0.3,
    thinning=0.3,
    members=4,
    schedule=Schedule(epochs=40, patience=10, batch=32, rate=3e-3, decay=1e-2, averaging=0.98),
)
TRIED = {
    "start": BASE,
    "no layers": BASE._replace(layers=0),
    "one layer": BASE._replace(layers=1),
    "three layers": BASE._replace(layers=3),
    "twice as wide": BASE._replace(units=32, pairs=8, head=64),
    "no thinning": BASE._replace(thinning=0.0),
    "more thinning": BASE._replace(thinning=0.6),
    "more dropout": BASE._replace(dropout=0.6),
    "a third of the rate": BASE._replace(schedule=BASE.schedule._replace(rate=1e-3)),
    "no averaging": BASE._replace(schedule=BASE.schedule._replace(averaging=0.0)),
    "one member": BASE._replace(members=1),
}


def main() -> None:
    """Try every setting on every task that the record does not hold yet."""
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name, settings in TRIED.items():
        described = {**settings._asdict(), "schedule": settings.schedule._asdict()}
        found = record.setdefault(name, {"settings": described, "tasks": {}})
        if found["settings"] != described:
            found.update(settings=described, tasks={})
        for task_id in TASKS:
            if task_id not in found["tasks"]:
                found["tasks"][task_id] = searched(task_id, settings)
                RECORD.write_text(json.dumps(record, indent=1) + "\n")
                print(name, task_id, found["tasks"][task_id])


def searched(task_id: str, settings: Settings) -> dict[str, Any]:
    """Scores and losses of a setting on held-out cells of the train side, one an inner fold, and a fit's seconds."""
    task = load_tasks()[task_id]
    zoo = load_zoo(task.zoo)
    problem = prepare(task, zoo)
    rows = problem.train(problem.folds[FOLD])
    cells = np.unique(rows["cell_id"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    models, target = zoo.models(rows["model_id"].to_numpy(dtype=object)), rows["target"].to_numpy()
    results, seconds = [], []
    for train, test in GroupKFold(INNER_FOLDS, shuffle=True, random_state=SEED).split(cells, groups=cells):
        context = Context(
            task=TaskInfo(task.id, task.kind, task.target),
            classes=problem.classes,
            groups=cells[train],
            seed=SEED,
            device="cpu",
            deadline=time.monotonic() + 3600,
        )
        method = NeuralFunctional(settings)
        started = time.process_time()
        method.fit(models[train], target[train], context)
        seconds.append(time.process_time() - started)
        results.append(scored(problem, target[test], method.predict(models[test])))
    scores, losses = np.round(results, 4).T.tolist()
    return {"scores": scores, "losses": losses, "seconds": round(float(np.mean(seconds)), 1)}


def scored(problem: Problem, target: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> tuple[float, float]:
    """Balanced accuracy and log loss with phases weighted alike, or Kendall's τ and 1 − R²."""
    if not problem.classes:
        target = target.astype(np.float64)
        return float(kendalltau(target, prediction).statistic), float(
            np.mean((prediction - target) ** 2) / target.var()
        )
    shown, codes = np.unique(target.astype(str), return_inverse=True)
    named = np.array(problem.classes)[prediction.argmax(axis=1)]
    of_truth = prediction[np.arange(len(target)), np.array([problem.classes.index(name) for name in shown])[codes]]
    weights = compute_sample_weight("balanced", codes)
    loss = -np.average(np.log(np.maximum(of_truth, 1e-6)), weights=weights)
    return float(balanced_accuracy_score(target.astype(str), named)), float(loss)


if __name__ == "__main__":
    main()
