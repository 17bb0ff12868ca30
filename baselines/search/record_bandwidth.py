"""Record how the bandwidth of ``hyper_representation`` was chosen: ``bandwidth.json``, read in its ``.md``.

For each generation task: a third of the train seeds of the wanted phase are set aside as the real networks that a draw
is held against, and the method is fitted on the other train networks. A draw with each bandwidth is judged as the task
judges draws, but on the data set's *train* images: neither the task's held-out seeds nor its test images are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from recorded_search import FOLDER, SEED

from hyper_representation import HyperRepresentation, Settings  # isort: skip - recorded_search says where baselines are
from wslbench import load_zoo
from wslbench.annotation.options import options_of
from wslbench.generation import Draw, comparators, lift_of, originality
from wslbench.generation.quality import with_statistics
from wslbench.symmetry import symmetries
from wslbench.tasks import load_tasks
from wslbench.tasks.generation_problem import DRAWN, prepare_generation
from wslbench.training import Classification, ModelStack
from wslbench.typing import Context, TaskInfo

PHASES = ("I", "II", "III")
BANDWIDTHS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
NOISE = (0.05, 0.1, 0.15, 0.2, 0.3)

Tensors = Mapping[str, npt.NDArray[np.float32]]


def inner_lifts(phase: str) -> dict[str, Any]:
    """For each bandwidth: lift with its interval, accuracy and novelty, on train images, within train seeds."""
    task = load_tasks()[f"digits-cnn-seeds.generate-{phase}"]
    problem = prepare_generation(task, load_zoo(task.zoo))
    wanted = np.flatnonzero((problem.train["phase"] == phase).to_numpy())
    aside = np.random.default_rng(SEED).permutation(wanted)[: len(wanted) // 3]
    seen = problem.train[~problem.train.index.isin(aside)]
    zoo, architecture = problem.zoo, problem.architecture
    objective = options_of(zoo).training_data(zoo.name).objective(architecture)
    assert isinstance(objective, Classification)
    labels = objective.train_labels.numpy()

    def classes(tensors: Tensors) -> npt.NDArray[np.int64]:
        stack = ModelStack.from_tensors(architecture, {name: torch.tensor(value) for name, value in tensors.items()})
        logits = objective.representation(with_statistics(stack, objective), side="train")
        return np.asarray(logits.nan_to_num(nan=-np.inf).argmax(dim=2).numpy(), np.int64)

    def weights(ids: npt.NDArray[np.object_]) -> dict[str, npt.NDArray[np.float32]]:
        (stack,) = zoo.models(ids).by_architecture()
        return stack.arrays()

    shown = classes(weights(problem.ids(seen)))
    real = classes(weights(problem.ids(problem.train.loc[aside])))
    labels = labels[: shown.shape[1]]

    def as_draw(found: npt.NDArray[np.int64]) -> Draw:
        how = originality(found, shown, real)
        return Draw(how.distinct, (found == labels).mean(axis=1), how.nearest)

    of_phase = weights(problem.ids(seen[seen["phase"] == phase]))
    random = np.random.default_rng(SEED)
    drawn = {"retrieval": comparators.retrieved(of_phase, DRAWN, random)}
    drawn |= {f"noise {scale}": comparators.noisy(of_phase, scale, DRAWN, random) for scale in NOISE}
    drawn |= {"average of 2": comparators.averaged(symmetries(architecture), of_phase, 2, DRAWN, random)}
    ladder = {name: as_draw(classes(tensors)) for name, tensors in drawn.items()}
    method = HyperRepresentation()
    told = TaskInfo(task.id, task.kind, task.target)
    context = Context(told, (), np.arange(len(seen)), SEED, "cpu", float("inf"), target_phase=phase)
    models = zoo.models(problem.ids(seen))
    method.fit(models, seen["phase"].to_numpy(dtype=object), context)
    found = {}
    for bandwidth in BANDWIDTHS:
        method.settings = Settings(bandwidth=bandwidth)
        draw = as_draw(classes({name: value.numpy() for name, value in method.generate(DRAWN, context).items()}))
        lift = lift_of(draw, as_draw(real), ladder, SEED)
        found[str(bandwidth)] = {
            "lift": [None if not np.isfinite(value) else round(value, 3) for value in lift[:3]],
            "standing": lift.standing,
            "accuracy": round(float(draw.accuracy.mean()), 4),
            "novelty": round(float(draw.novelty.mean()), 3),
        }
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    path = FOLDER / "bandwidth.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in PHASES:
        if name not in record:
            record[name] = inner_lifts(name)
            path.write_text(json.dumps(record, indent=1) + "\n")
        print(name, json.dumps(record[name]), flush=True)
