"""Measuring one block of a zoo: losses, Hessians, and all that compares the seeds of a cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from wslbench.landscape.connectivity import CURVE_POINTS, fit_curves
from wslbench.landscape.hessian import hessian_trace, top_eigenvalue
from wslbench.landscape.similarity import linear_cka
from wslbench.population.block import TrainedBlock
from wslbench.population.blocks import Block
from wslbench.population.objective import hessian_samples
from wslbench.population.recipe import Recipe
from wslbench.training import ModelStack, Objective, PassSize, seed_from
from wslbench.training.loop import Progress

Pairs = list[tuple[int, int]]


class MeasuredBlock(NamedTuple):
    """What is known of a block.

    Attributes
    ----------
    runs
        A row a run and epoch: cell_id, seed, epoch, what the objective measures, ``error`` (per cent, on what
        curves are judged by), ``dead``, and at the measured epoch the Hessian and the slope of the loss.
    pairs
        A row a seed pair and epoch: cell_id, seed_a, seed_b, epoch, mode_connectivity, cka, curve values.
    """

    runs: pd.DataFrame
    pairs: pd.DataFrame


def measure_block(
    recipe: Recipe,
    block: Block,
    trained: TrainedBlock,
    objective: Objective,
    pass_size: PassSize | None = None,
    progress: Progress | None = None,
) -> MeasuredBlock:
    """Order parameters of all cells of a block, at the measured and, where it is checked, the continued epoch.

    The continued runs only answer whether a phase still changes: a ring of seed pairs is enough for them,
    where the measured ones are compared in all the recipe's pairs.
    """
    ring: Pairs = [(seed, (seed + 1) % recipe.seeds) for seed in range(recipe.seeds)]
    measured = recipe.measured_epoch
    compared = {measured: recipe.pairs}
    if recipe.continued_epoch is not None:
        compared[recipe.continued_epoch] = ring if len(ring) <= len(recipe.pairs) else recipe.pairs
    total = sum(len(pairs) for pairs in compared.values())
    tables = []
    for epoch, pairs in compared.items():
        report = None if progress is None else _share(progress, len(pairs) / total)
        stack = trained.checkpoints[epoch]
        tables.append(_measure_pairs(recipe, block, stack, epoch, pairs, objective, pass_size, report))
    runs = pd.concat(
        [_measure_runs(recipe, block, stack, epoch, objective) for epoch, stack in trained.checkpoints.items()],
        ignore_index=True,
    )
    at_measured = runs["epoch"] == measured
    extra = {"loss_slope": _loss_slope(trained.running_loss[:measured])}
    extra |= _measure_hessian(recipe, block, trained.checkpoints[measured], objective)
    for name, values in extra.items():
        runs[name] = np.nan
        runs.loc[at_measured, name] = values
    return MeasuredBlock(runs, pd.concat(tables, ignore_index=True))


def _measure_runs(recipe: Recipe, block: Block, stack: ModelStack, epoch: int, objective: Objective) -> pd.DataFrame:
    values = objective.measure(stack)
    runs = block.runs(recipe)
    table = pd.DataFrame({"cell_id": [r.cell.cell_id for r in runs], "seed": [r.seed for r in runs], "epoch": epoch})
    return table.assign(**values, error=objective.error_of(values), dead=objective.dead(values))


def _measure_pairs(
    recipe: Recipe,
    block: Block,
    stack: ModelStack,
    epoch: int,
    pairs: Pairs,
    objective: Objective,
    pass_size: PassSize | None,
    progress: Progress | None,
) -> pd.DataFrame:
    """Curves and CKA of the same seed pairs of every cell."""
    offsets = [number * recipe.seeds for number in range(len(block.cells))]
    first, second = (np.array([offset + pair[side] for offset in offsets for pair in pairs]) for side in (0, 1))
    labels = [(cell.cell_id, a, b) for cell in block.cells for a, b in pairs]
    fit = fit_curves(
        stack.select(first),
        stack.select(second),
        objective.select(first),
        recipe.curve,
        seeds=[seed_from(recipe.name, cell_id, a, b, epoch, "curve") for cell_id, a, b in labels],
        progress=progress,
        pass_size=pass_size,
    )
    table = pd.DataFrame(labels, columns=["cell_id", "seed_a", "seed_b"])
    table["epoch"] = epoch
    table["mode_connectivity"] = fit.mode_connectivity
    table["cka"] = _similarity(stack, objective, offsets, recipe.seeds, pairs)
    for point, t in enumerate(CURVE_POINTS):
        table[f"train_error_{t:g}"] = fit.train_error[:, point]
        table[f"train_loss_{t:g}"] = fit.train_loss[:, point]
    return table


def _similarity(
    stack: ModelStack, objective: Objective, offsets: list[int], seeds: int, pairs: Pairs
) -> NDArray[np.float64]:
    """CKA of the pairs, cell by cell: the representations of a whole block may not fit in memory."""
    values = []
    first, second = (torch.tensor([pair[side] for pair in pairs]) for side in (0, 1))
    for offset in offsets:
        rows = np.arange(offset, offset + seeds)
        outputs = objective.select(rows).representation(stack.select(rows))
        values.append(linear_cka(outputs[first], outputs[second]).cpu().numpy())
    return np.concatenate(values)


def _measure_hessian(
    recipe: Recipe, block: Block, stack: ModelStack, objective: Objective
) -> dict[str, NDArray[np.float64]]:
    settings = recipe.hessian
    samples = hessian_samples(recipe, objective.train_size)
    runs = [(run.cell.cell_id, run.seed) for run in block.runs(recipe)]
    trace = hessian_trace(
        stack,
        objective,
        samples,
        seeds=[seed_from(recipe.name, cell_id, seed, "hessian-trace") for cell_id, seed in runs],
        relative_tolerance=settings.relative_tolerance,
        maximum_probes=settings.maximum_probes,
    )
    top = top_eigenvalue(
        stack,
        objective,
        samples,
        seeds=[seed_from(recipe.name, cell_id, seed, "hessian-eigenvalue") for cell_id, seed in runs],
        iterations=settings.lanczos_iterations,
    )
    return {
        "hessian_trace": trace.trace,
        "hessian_trace_se": trace.standard_error,
        "hessian_top_eigenvalue": top.eigenvalue,
        "hessian_top_residual": top.residual,
    }


def _loss_slope(running_loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares slope of the running loss over the last fifth of the epochs, per epoch ``[runs]``."""
    last = running_loss[-max(2, len(running_loss) // 5) :]
    time = np.arange(len(last)) - (len(last) - 1) / 2
    if len(last) < 2:
        return np.full(running_loss.shape[1], np.nan)
    slope: NDArray[np.float64] = time @ last / (time @ time)
    return slope


def _share(progress: Progress, share: float) -> Progress:
    return lambda part: progress(share * part)
