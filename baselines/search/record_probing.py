"""Record how the settings of ``probing`` were chosen: ``probing.json``.

``python baselines/search/record_probing.py`` fits every setting on two thirds of the cells of one fold's train side
and scores it on the last third, three times over. Test cells are not even read. It goes on where it was stopped.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import GroupKFold

from wslbench import load_zoo
from wslbench.tasks import load_tasks, prepare
from wslbench.typing import Context, TaskInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from probing import Probing, Settings

RECORD = Path(__file__).with_name("probing.json")
TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy", "convection-pinn.phase", "convection-pinn.error")
FOLDS, INNER_FOLDS, SEED = 1, 3, 0
BASE = Settings(
    probes=32, codes=64, depth=2, spread=1.0, quickness=1.0, hidden=256, dropout=0.5, readers=5,
    schedule=Settings().schedule._replace(epochs=100, patience=25, batch=64, rate=1e-3, decay=0.1, averaging=0.0),
)  # fmt: skip
TRIED = {
    "start": BASE,
    "as drawn": BASE._replace(schedule=BASE.schedule._replace(epochs=1, rate=1e-9)),
    "10 times as quick": BASE._replace(quickness=10.0),
    "averaging": BASE._replace(schedule=BASE.schedule._replace(averaging=0.95)),
    "rate 3e-4": BASE._replace(schedule=BASE.schedule._replace(rate=3e-4)),
    "rate 3e-3": BASE._replace(schedule=BASE.schedule._replace(rate=3e-3)),
    "16 probes": BASE._replace(probes=16),
    "64 probes": BASE._replace(probes=64),
    "one dense map": BASE._replace(depth=1),
    "three dense maps": BASE._replace(depth=3),
    "spread 2": BASE._replace(spread=2.0),
    "64 hidden units": BASE._replace(hidden=64),
}


def main() -> None:
    """Try every setting on every task that the record does not hold yet."""
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name, settings in TRIED.items():
        found = record.setdefault(name, {"settings": described(settings), "tasks": {}})["tasks"]
        for task_id in TASKS:
            if task_id not in found:
                found[task_id] = scored(task_id, settings)
                RECORD.write_text(json.dumps(record, indent=1) + "\n")
                print(name, task_id, found[task_id], flush=True)


def scored(task_id: str, settings: Settings) -> dict[str, Any]:
    """Scores and losses of a setting on held-out cells of the train side, one an inner fold, and mean seconds."""
    task = load_tasks()[task_id]
    zoo = load_zoo(task.zoo)
    problem = prepare(task, zoo)
    found = []
    for fold in problem.folds[:FOLDS]:
        rows = problem.train(fold)
        groups = np.unique(rows["cell_id"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
        models, target = zoo.models(rows["model_id"].to_numpy(dtype=object)), rows["target"].to_numpy()
        for train, test in GroupKFold(INNER_FOLDS, shuffle=True, random_state=SEED).split(groups, groups=groups):
            context = Context(
                task=TaskInfo(task.id, task.kind, task.target),
                classes=problem.classes,
                groups=groups[train],
                seed=SEED,
                device="cpu",
                deadline=math.inf,
            )
            method = Probing(settings)
            started = time.monotonic()
            method.fit(models[train], target[train], context)
            prediction = method.predict(models[test])
            taken = time.monotonic() - started
            found.append((*score(prediction, target[test], problem.classes), taken))
    scores, losses, seconds = (np.array(column) for column in zip(*found, strict=True))
    return {
        "score": round(float(scores.mean()), 4),
        "loss": round(float(losses.mean()), 4),
        "scores": [round(float(each), 4) for each in scores],
        "losses": [round(float(each), 4) for each in losses],
        "seconds": round(float(seconds.mean()), 1),
    }


def score(prediction: np.ndarray[Any, Any], target: np.ndarray[Any, Any], classes: tuple[str, ...]) -> list[float]:
    """Balanced accuracy and log loss, phases weighted alike; or Kendall's τ and the share of variance left over."""
    if not classes:
        values = target.astype(np.float64)
        return [kendalltau(values, prediction).statistic, np.mean((values - prediction) ** 2) / values.var()]
    phases, counts = np.unique(target.astype(str), return_counts=True)
    weights = dict(zip(phases, 1 / counts, strict=True))
    named = np.array(classes)[prediction.argmax(axis=1)]
    kept = np.clip(prediction, 1e-6, 1)
    columns = [classes.index(phase) for phase in sorted(classes)]  # as log_loss orders them
    loss = log_loss(
        target.astype(str),
        (kept / kept.sum(1, keepdims=True))[:, columns],
        sample_weight=[weights[phase] for phase in target],
        labels=sorted(classes),
    )
    return [balanced_accuracy_score(target.astype(str), named), loss]


def described(settings: Settings) -> dict[str, Any]:
    """Settings as JSON."""
    return {**settings._asdict(), "schedule": settings.schedule._asdict()}


if __name__ == "__main__":
    main()
