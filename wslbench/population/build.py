"""Growing a zoo: train and measure block by block, stage cell by cell, annotate, compact.

Killed at any moment it goes on where it was: a trained block is not trained again, a staged cell is not measured
again. Every random draw comes from names, and every block is computed by one thread, so that neither the engine nor
the number of workers changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from wslbench.engines import Engine, Job, make_engine
from wslbench.errors import RecipeError
from wslbench.population.annotation import annotate
from wslbench.population.blocks import Block, blocks_of
from wslbench.population.card import card_of, splits_of
from wslbench.population.checks import check_recipe
from wslbench.population.cost import Cost, block_cost
from wslbench.population.grow import BlockPayload, grow_block, read_stacked
from wslbench.population.recipe import Recipe
from wslbench.population.seed_secret import SeedSecret, commitment_record
from wslbench.training import TRAINER_VERSION
from wslbench.zoo import Zoo, ZooWriter
from wslbench.zoo.sole_writer import sole_writer

Report = Callable[[float], None]
"""Called with the share of the whole work that is done, from 0 to 1."""


class GrownZoo(NamedTuple):
    """A finished zoo, and what its maker should know."""

    zoo: Zoo
    notes: list[str]


def build_zoo(
    recipe: Recipe,
    destination: Path,
    jobs: int = 2,
    report: Report | None = None,
    engine: Engine | None = None,
    device: str = "cpu",
    secret: SeedSecret | None = None,
) -> GrownZoo:
    """Grow the zoo of a recipe at ``destination``.

    Parameters
    ----------
    jobs
        Processes on this machine, of one thread each; a block (cells of one architecture and batch size) is the unit
        of work.
    report
        Told now and then which share of the work is done.
    engine
        What runs the blocks; None: ``jobs`` local processes.
    device
        ``cpu`` or ``cuda``.
    secret
        Grows the zoo again from seeds that nobody can foresee; None: from those that follow from names.

    Raises
    ------
    ZooError
        If the destination is taken, was begun with another recipe or secret, is being built right now, or is too small.
    RecipeError
        If the recipe cannot be trained, or has no cut-offs although there is a secret: a zoo that names its phases by
        cut-offs of its own answers another question; see :func:`with_frozen_cutoffs`.
    DatasetError
        If its data set is not there.
    """
    if secret is not None and recipe.cutoffs is None:
        raise RecipeError(
            f"recipe {recipe.name!r} has no cut-offs: a zoo of secret seeds takes over those of the public one"
        )
    staging = destination.with_name(f"{destination.name}.partial")
    check_recipe(recipe, destination, jobs, device)
    with sole_writer(destination, f"{staging} is being built by another process: wait for it, or stop it"):
        finished = ZooWriter.finished(destination, fingerprint(recipe, secret))
        if finished is not None:
            return GrownZoo(finished, ["an earlier call had grown it, and was killed before it could say so"])
        writer = ZooWriter(destination, fingerprint(recipe, secret))
        _grow_blocks(recipe, writer, destination, engine or make_engine("local", jobs), report, device, secret)
        return _compact(recipe, writer, read_stacked(staging), secret)


def fingerprint(recipe: Recipe, secret: SeedSecret | None = None) -> dict[str, Any]:
    """What a staging folder is bound to: everything that changes weights or measurements."""
    words = {"card", "tuned", "grids_tried", "cutoffs", "unpublished", "connectivity_noise", "stacking"}
    grown = recipe.model_dump(mode="json", exclude=words) | {"trainer_version": TRAINER_VERSION}
    return grown | commitment_record(secret)


def _compact(recipe: Recipe, writer: ZooWriter, stacked: dict[str, bool], secret: SeedSecret | None) -> GrownZoo:
    staged = [writer.read_staged(cell.cell_id) for cell in recipe.cells()]
    pairs = pd.concat([cell.pairs for cell in staged], ignore_index=True)
    runs = pd.concat([cell.rows for cell in staged], ignore_index=True).drop(columns="architecture")
    annotation = annotate(recipe, runs, pairs)
    splits, refused = splits_of(recipe, annotation)
    zoo = writer.compact(card_of(recipe, annotation, stacked, secret), annotation.table, pairs, splits)
    return GrownZoo(zoo, annotation.annotated.notes + refused)


def _grow_blocks(
    recipe: Recipe,
    writer: ZooWriter,
    destination: Path,
    engine: Engine,
    report: Report | None,
    device: str,
    secret: SeedSecret | None,
) -> None:
    """Run the blocks that are not staged yet."""
    done = writer.staged()
    costs: dict[str, Cost] = {}
    still_open: list[Block] = []
    for block in blocks_of(recipe):
        costs[block.key] = block_cost(recipe, block)
        if any(cell.cell_id not in done for cell in block.cells):
            still_open.append(block)
    total = sum(cost.total for cost in costs.values())
    behind = total - sum(costs[block.key].total for block in still_open)
    tell = report or (lambda share: None)
    tell(behind / total)
    jobs = [
        Job(
            block.key,
            costs[block.key].total,
            BlockPayload(recipe, block, costs[block.key], destination, device, secret),
        )
        for block in still_open
    ]
    if jobs:
        staging = destination.with_name(f"{destination.name}.partial")
        engine.run(jobs, grow_block, staging, lambda finished: tell(min(1.0, (behind + finished) / total)))
