"""The work of one block, in a process of its own: train (or read back), measure, stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from wslbench.population.block import initial_stack, train_block
from wslbench.population.blocks import Block
from wslbench.population.cost import Cost
from wslbench.population.measurement import measure_block
from wslbench.population.objective import make_objective
from wslbench.population.recipe import Recipe
from wslbench.population.seed_secret import SeedSecret
from wslbench.population.trained_blocks import FOLDER, block_path, read_block, save_block
from wslbench.training import ModelStack, Objective, Optimisation, PassSize, measure_pass_size
from wslbench.training.pass_size import ONE_BY_ONE
from wslbench.zoo import ZooWriter
from wslbench.zoo.atomic import write_text


class BlockPayload(NamedTuple):
    """All that a worker needs to know."""

    recipe: Recipe
    block: Block
    cost: Cost
    destination: Path
    device: str
    secret: SeedSecret | None = None


class _PassSizes(NamedTuple):
    training: PassSize
    curves: PassSize


def grow_block(payload: BlockPayload, report: Callable[[float], None]) -> None:
    """Train, measure and stage one block; what an earlier attempt finished is kept."""
    from wslbench.population.build import fingerprint

    recipe, block, cost = payload.recipe, payload.block, payload.cost
    device = torch.device(payload.device)
    writer = ZooWriter(payload.destination, fingerprint(recipe, payload.secret))
    staging = payload.destination.with_name(f"{payload.destination.name}.partial")
    path = block_path(staging, block)
    objective = make_objective(recipe, block.runs(recipe)).to(device)
    sizes = _pass_sizes(recipe, block, objective, path.with_suffix(".json"), device)
    trained = read_block(path, block)
    if trained is None:
        trained = train_block(
            recipe,
            block,
            objective,
            sizes.training,
            lambda share: report(share * cost.training),
            device,
            payload.secret,
        )
        save_block(path, trained)
    else:
        report(cost.training)
        moved = {epoch: stack.to(device) for epoch, stack in trained.checkpoints.items()}
        trained = trained._replace(checkpoints=moved)
    measured = measure_block(recipe, block, trained, objective, sizes.curves, lambda share: report(share * cost.curves))
    for place, cell in enumerate(block.cells):
        if cell.cell_id in writer.staged():
            continue
        rows = slice(place * recipe.seeds, (place + 1) * recipe.seeds)
        weights = {
            epoch: {name: array[rows] for name, array in stack.arrays().items()}
            for epoch, stack in trained.checkpoints.items()
        }
        runs = measured.runs[measured.runs["cell_id"] == cell.cell_id]
        pairs = measured.pairs[measured.pairs["cell_id"] == cell.cell_id]
        writer.stage(cell.cell_id, runs.assign(architecture=block.architecture_name), weights, pairs)
    path.unlink(missing_ok=True)


def read_stacked(staging: Path) -> dict[str, bool]:
    """By block, whether its networks train as one stack, as far as it is settled."""
    records = sorted((staging / FOLDER).glob("*.json"))
    return {record.stem: bool(json.loads(record.read_text(encoding="utf-8"))["training"][1]) for record in records}


def _pass_sizes(recipe: Recipe, block: Block, objective: Objective, record: Path, device: torch.device) -> _PassSizes:
    """How many networks train together: measured once a block, and kept for every later attempt."""
    if record.is_file():
        known = json.loads(record.read_text(encoding="utf-8"))
        return _PassSizes(PassSize(*known["training"]), PassSize(*known["curves"]))
    if recipe.stacking == "one_by_one":
        sizes = _PassSizes(ONE_BY_ONE, ONE_BY_ONE)
    else:
        stack = initial_stack(recipe, block).to(device)
        training = recipe.optimisation_of(block.cells[0])
        sizes = _PassSizes(*(_size(recipe, stack, objective, way) for way in (training, recipe.curve)))
    record.parent.mkdir(parents=True, exist_ok=True)
    write_text(record, json.dumps(sizes._asdict()))
    return sizes


def _size(recipe: Recipe, stack: ModelStack, objective: Objective, optimisation: Optimisation) -> PassSize:
    smaller = min(optimisation.samples, objective.train_size)
    trial = optimisation.model_copy(update={"batch_size": smaller})
    return measure_pass_size(stack, objective, trial, must_stack=recipe.stacking == "stacked")
