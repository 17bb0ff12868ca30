"""Measuring one block of a zoo that is being grown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wslbench.annotation.measurement import CellRuns, measure_hessians, measure_pairs, measure_runs
from wslbench.annotation.seed_pairs import Pairs, longer_pairs
from wslbench.population.block import TrainedBlock
from wslbench.population.blocks import Block
from wslbench.population.recipe import Recipe
from wslbench.training import Objective, PassSize
from wslbench.training.loop import Progress


class MeasuredBlock(NamedTuple):
    """What is known of a block.

    Attributes
    ----------
    runs
        A row a run and epoch: as :func:`measure_runs` has it, and at the measured epoch the Hessian and the slope of
        the loss.
    pairs
        A row a seed pair and epoch, as :func:`measure_pairs` has it.
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
    definition = recipe.definition
    seeds = tuple(range(recipe.seeds))
    longer = longer_pairs(recipe.name, seeds, recipe.pairs, recipe.longer_curve_pairs)
    cells = [CellRuns(cell.cell_id, seeds, recipe.pairs, longer) for cell in block.cells]
    runs = pd.concat(
        [measure_runs(cells, stack, epoch, objective) for epoch, stack in trained.checkpoints.items()],
        ignore_index=True,
    )
    measured = trained.checkpoints[recipe.measured_epoch]
    extra = {"loss_slope": _loss_slope(trained.running_loss[: recipe.measured_epoch])}
    extra |= measure_hessians(recipe.name, cells, measured, objective, definition)
    for name, values in extra.items():
        runs[name] = np.nan
        runs.loc[runs["epoch"] == recipe.measured_epoch, name] = values

    ring = ring_of(recipe) if recipe.continued_epoch is not None else []
    work = len(recipe.pairs) + 2 * len(longer)
    total = work + len(ring)
    tables = [
        measure_pairs(
            recipe.name,
            cells,
            measured,
            recipe.measured_epoch,
            objective,
            definition,
            pass_size=pass_size,
            progress=_share(progress, work / total),
        )
    ]
    if recipe.continued_epoch is not None:
        tables.append(
            measure_pairs(
                recipe.name,
                [cell._replace(pairs=ring) for cell in cells],
                trained.checkpoints[recipe.continued_epoch],
                recipe.continued_epoch,
                objective,
                definition,
                thorough=False,
                pass_size=pass_size,
                progress=_share(progress, len(ring) / total),
            )
        )
    return MeasuredBlock(runs, pd.concat(tables, ignore_index=True))


def ring_of(recipe: Recipe) -> Pairs:
    """The seed pairs that are compared again at the continued epoch."""
    ring: Pairs = [(seed, (seed + 1) % recipe.seeds) for seed in range(recipe.seeds)]
    return ring if len(ring) <= len(recipe.pairs) else recipe.pairs


def _loss_slope(running_loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares slope of the running loss over the last fifth of the epochs, per epoch ``[runs]``."""
    last = running_loss[-max(2, len(running_loss) // 5) :]
    time = np.arange(len(last)) - (len(last) - 1) / 2
    if len(last) < 2:
        return np.full(running_loss.shape[1], np.nan)
    slope: NDArray[np.float64] = time @ last / (time @ time)
    return slope


def _share(progress: Progress | None, share: float) -> Progress | None:
    return None if progress is None else lambda part: progress(share * part)
