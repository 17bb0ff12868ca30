"""Measuring cells: losses and Hessians of every run, and all that compares the seeds of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wslbench.annotation.definition import Definition
from wslbench.annotation.order_parameters import (
    cka_of_pairs,
    curve_columns,
    hessian_columns,
    line_columns,
)
from wslbench.annotation.seed_pairs import Pairs
from wslbench.training import ModelStack, Objective, PassSize
from wslbench.training.loop import Progress


class CellRuns(NamedTuple):
    """The runs of one cell, in the order of their stack.

    Attributes
    ----------
    cell_id
        Of the cell.
    seeds
        A run each.
    pairs
        Seeds that are compared.
    longer
        Those of the pairs whose curves are trained twice as long as well.
    """

    cell_id: str
    seeds: tuple[int, ...]
    pairs: Pairs
    longer: Pairs


def measure_runs(cells: Sequence[CellRuns], stack: ModelStack, epoch: int, objective: Objective) -> pd.DataFrame:
    """A row a run: cell_id, seed, epoch, what the objective measures, ``error`` (per cent), ``dead``, ``diverged``."""
    values = objective.measure(stack)
    table = pd.DataFrame(_runs_of(cells), columns=["cell_id", "seed"])
    table["epoch"] = epoch
    finite = np.isfinite(values["train_loss"]) & _finite(stack)
    return table.assign(**values, error=objective.error_of(values), dead=objective.dead(values), diverged=~finite)


def measure_hessians(
    zoo: str, cells: Sequence[CellRuns], stack: ModelStack, objective: Objective, definition: Definition
) -> dict[str, NDArray[np.float64]]:
    """Columns of the Hessian, a value a run, in the order of :func:`measure_runs`."""
    return hessian_columns(stack, objective, definition, zoo, _runs_of(cells))


def measure_pairs(
    zoo: str,
    cells: Sequence[CellRuns],
    stack: ModelStack,
    epoch: int,
    objective: Objective,
    definition: Definition,
    *,
    thorough: bool = True,
    pass_size: PassSize | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """A row a seed pair: mode connectivity with the values along the curve, and CKA.

    Parameters
    ----------
    thorough
        Measure straight lines and longer curves, too.
    progress
        Told which further share of the curves is done.
    """
    longer = [(cell.cell_id, *pair) for cell in cells for pair in cell.longer] if thorough else []
    labels = [(cell.cell_id, *pair) for cell in cells for pair in cell.pairs]
    table = pd.DataFrame(labels, columns=["cell_id", "seed_a", "seed_b"]).assign(epoch=epoch)
    if not labels:
        return table
    row_of = {run: row for row, run in enumerate(_runs_of(cells))}
    total = len(labels) + 2 * len(longer)
    first, second = _ends(labels, row_of)
    ends = stack.select(first), stack.select(second), objective.select(first)
    report = _share(progress, len(labels) / total)
    columns = curve_columns(*ends, definition, zoo, labels, epoch, report, pass_size)
    columns["cka"] = cka_of_pairs(stack, objective, definition, zoo, first, second)
    if thorough:
        columns |= line_columns(*ends, definition)
    table = table.assign(**columns)
    if longer:
        first, second = _ends(longer, row_of)
        report = _share(progress, 2 * len(longer) / total)
        ends = stack.select(first), stack.select(second), objective.select(first)
        again = curve_columns(*ends, definition, zoo, longer, epoch, report, pass_size, longer=True)
        keys = pd.DataFrame(longer, columns=["cell_id", "seed_a", "seed_b"])
        table = table.merge(keys.assign(**again), on=["cell_id", "seed_a", "seed_b"], how="left", validate="1:1")
    return table


def _runs_of(cells: Sequence[CellRuns]) -> list[tuple[str, int]]:
    return [(cell.cell_id, seed) for cell in cells for seed in cell.seeds]


def _ends(
    labels: Sequence[tuple[str, int, int]], row_of: dict[tuple[str, int], int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first = np.array([row_of[cell_id, a] for cell_id, a, _ in labels], dtype=np.int64)
    return first, np.array([row_of[cell_id, b] for cell_id, _, b in labels], dtype=np.int64)


def _finite(stack: ModelStack) -> NDArray[np.bool_]:
    whole = np.ones(stack.size, dtype=bool)
    for tensor in (*stack.parameters.values(), *stack.statistics.values()):
        whole &= tensor.isfinite().flatten(1).all(1).cpu().numpy()
    return whole


def _share(progress: Progress | None, share: float) -> Progress | None:
    return None if progress is None else lambda part: progress(share * part)
