"""Cheats score as cheats: nothing that is made of train networks has lift, and held-out real networks have one of 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import wslbench
from wslbench.evaluation.generators.reference import Reference
from wslbench.generation import comparators
from wslbench.generation.lift import Draw
from wslbench.generation.quality import predicted_classes, with_statistics
from wslbench.symmetry import apply, random, symmetries
from wslbench.tasks import DRAWN, load_tasks, prepare_generation
from wslbench.training import ModelStack

BOOK = load_tasks()
TASKS = [task.id for task in BOOK.select(suite="generation")]
# Every phase is asked by `pytest -m slow`.
QUICK = [pytest.param(task, marks=() if task.endswith("-I") else pytest.mark.slow) for task in TASKS]


@pytest.fixture(scope="module", params=QUICK)
def reference(request: pytest.FixtureRequest) -> Reference:
    torch.set_num_threads(1)
    task = BOOK[request.param]
    return Reference(prepare_generation(task, wslbench.load_zoo(task.zoo)))


def networks(reference: Reference, first: int = 0) -> dict[str, Any]:
    problem = reference.problem
    ids = problem.train.loc[problem.train["phase"] == problem.phase, "model_id"]
    return reference.judge.tensors_of(list(ids)[first : first + DRAWN])


def disguised(reference: Reference, tensors: dict[str, Any], **kinds: bool) -> dict[str, Any]:
    group = symmetries(reference.problem.architecture)
    return dict(apply(group, random(group, count=DRAWN, seed=5, **kinds), tensors))


def judged(reference: Reference, tensors: dict[str, Any]) -> tuple[Draw, np.ndarray]:
    judge = reference.judge
    stack = ModelStack.from_tensors(judge.architecture, {name: torch.tensor(value) for name, value in tensors.items()})
    classes = predicted_classes(with_statistics(stack, judge._objective), judge._objective)
    found = judge.originality(classes)
    return Draw(found.distinct, (classes == judge.labels).mean(axis=1), found.nearest), classes


CHEATS: dict[str, Callable[[Reference], dict[str, Any]]] = {
    "train networks": networks,
    "permuted": lambda reference: disguised(reference, networks(reference), scaling=False),
    "rescaled": lambda reference: disguised(reference, networks(reference), permutation=False),
    "permuted, rescaled and shaken a little": lambda reference: comparators.noisy(
        disguised(reference, networks(reference)), 0.01, DRAWN, np.random.default_rng(1)
    ),
    "half copies, half noise": lambda reference: {
        name: np.concatenate([values[:32], shaken[name][32:]])
        for shaken in [comparators.noisy(networks(reference), 0.6, DRAWN, np.random.default_rng(2))]
        for name, values in networks(reference).items()
    },
    "one good held-out network": lambda reference: {
        name: np.repeat(values, DRAWN, axis=0)
        for name, values in reference.judge.tensors_of(
            list(reference.problem.ids(reference.problem.held_out))[:1]
        ).items()
    },
    "noise around one network": lambda reference: comparators.noisy(
        {name: values[:1] for name, values in networks(reference).items()}, 0.15, DRAWN, np.random.default_rng(3)
    ),
    "random networks": lambda reference: reference.judge.initialised("cheat", DRAWN),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_no_cheat_has_lift(reference: Reference, cheat: str) -> None:
    draw, classes = judged(reference, CHEATS[cheat](reference))
    lift = reference.scale("weights only").draws(draw)
    low = np.nanquantile(lift[1:], 0.025) if np.isfinite(lift[0]) else np.nan
    assert not low > 0
    if cheat in ("train networks", "permuted", "rescaled"):
        # A disguised copy is a copy; a sample on the verge may fall to another class by rounding.
        assert draw.novelty.mean() < 1e-2
        assert np.median(reference.judge.originality(classes).novelty) == 0


def test_held_out_seeds_have_a_lift_of_one(reference: Reference) -> None:
    """Those of them that the scale was not made of where there are any, or all of them."""
    ids = list(reference.problem.ids(reference.problem.held_out))
    draw, _ = judged(reference, reference.judge.tensors_of(ids[-DRAWN:]))
    lift = reference.scale("weights only").draws(draw)
    low, high = np.nanquantile(lift[1:], [0.025, 0.975])
    assert low < 1 < high
    assert lift[0] == pytest.approx(1, abs=0.5)
    assert low > 0
