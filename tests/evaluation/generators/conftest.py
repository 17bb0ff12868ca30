"""A zoo of many seeds that grows in seconds, a task on it, and comparators that are quick to score."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from tests.population.recipes import TINY, tiny_recipe
from wslbench.evaluation.generators.reference import Comparators, HeldOut, Reference
from wslbench.generation import comparators
from wslbench.population.build import build_zoo
from wslbench.tasks import DRAWN, TaskBook, load_tasks, prepare_generation
from wslbench.zoo import Zoo

NAME = "tiny-seeds"
TASKS = """
format_version: 1
default_protocol: phase-stratified
tasks:
  - {{zoo: {zoo}, target: generate-{phase}, version: 1, kind: weight_generation, column: phase, phase: {phase},
     protocols: [within-cell-seeds], label: Weights, description: New networks.}}
suites:
  generation: [{zoo}.generate-{phase}]
"""


class Seeds(NamedTuple):
    """The zoo, its tasks, a reference, and the folder of its comparators."""

    zoo: Zoo
    book: TaskBook
    task: str
    reference: Reference
    comparators: Path


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("seeds")
    recipe = tiny_recipe(
        name=NAME,
        train_subset=300,
        test_subset=200,
        curve=TINY["curve"] | {"batch_size": 200},
        load={"column": "width", "label": "width", "values": [2]},
        temperature={"column": "learning_rate", "label": "learning rate", "values": [0.05, 0.1]},
        seeds=40,
        early_epoch=None,
        optimisation={"epochs": 6, "batch_size": 50},
        measured_epoch=6,
        unfinished_check="none",
        disjoint_pairs=2,
        longer_curve_pairs=0,
    )
    zoo = build_zoo(recipe, folder / NAME, jobs=1).zoo
    phase = str(zoo.table["phase"].mode()[0])
    (folder / "tasks.yaml").write_text(TASKS.format(zoo=NAME, phase=phase))
    book = load_tasks(folder / "tasks.yaml")
    task = f"{NAME}.generate-{phase}"
    problem = prepare_generation(book[task], zoo)
    reference = Reference(problem, folder)
    judge, random = reference.judge, np.random.default_rng(0)
    tensors = judge.tensors_of(list(problem.train.loc[problem.train["phase"] == phase, "model_id"]))
    drawn = {"retrieval": comparators.retrieved(tensors, DRAWN, random)}
    drawn |= {f"noise {scale}": comparators.noisy(tensors, scale, DRAWN, random) for scale in (0.3, 2.0)}
    real = judge.tensors_of([list(problem.ids(problem.held_out))[row % len(problem.held_out)] for row in range(DRAWN)])
    judged = {name: reference.judgement(judge.judge(draw, name, with_phase=False)) for name, draw in drawn.items()}
    held = reference.judgement(judge.judge(real, "real", with_phase=False))
    # Held-out networks stand in more than once here; what is asked of them below is only that there is a unit.
    held = held.model_copy(update={"distinct": [1.0] * DRAWN, "source": list(range(DRAWN)), "accuracy": [0.99] * DRAWN})
    found = Comparators(
        **problem.hashes._asdict(),
        scratch={"accuracy_finetuned_1": 0.1, "accuracy_finetuned_5": 0.2},
        real=held,
        real_phase=HeldOut(train_loss=1.0, mode_connectivity=0.0, cka=0.5, probability=1.0, diversity=1.0),
        comparators=judged,
    )
    (folder / f"{task}.json").write_text(found.model_dump_json())
    return Seeds(zoo, book, task, reference, folder)
