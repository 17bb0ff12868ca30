"""The work of annotating, cut into jobs: cells of one architecture, measured by one worker and staged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from wslbench.annotation.measurement import CellRuns, measure_hessians, measure_pairs, measure_runs
from wslbench.annotation.options import AnnotationOptions
from wslbench.annotation.seed_pairs import longer_pairs, seed_pairs
from wslbench.engines import Job
from wslbench.errors import LandscapeError
from wslbench.training import ModelStack, Objective, PassSize, measure_pass_size
from wslbench.zoo import Zoo
from wslbench.zoo.staging import Staging

RUNS_PER_JOB = 35
"""What a killed worker loses at most, in runs; larger stacks are hardly faster."""

HESSIAN_SHARE = 0.3
"""Cost of a run's Hessians and losses, in curves: for the progress bar alone."""


class AnnotationPayload(NamedTuple):
    """All that a worker needs to know.

    Attributes
    ----------
    fingerprint
        What the staging folder is bound to.
    model_ids
        Of the cells' runs, in their order.
    coefficients
        Of a physics problem, one a run; None where there is none.
    """

    zoo: Path
    staging: Path
    fingerprint: dict[str, Any]
    options: AnnotationOptions
    architecture: str
    cells: tuple[CellRuns, ...]
    model_ids: tuple[str, ...]
    coefficients: tuple[float, ...] | None
    device: str


def annotation_jobs(
    zoo: Zoo, staging: Path, fingerprint: dict[str, Any], options: AnnotationOptions, done: set[str], device: str
) -> list[Job]:
    """The jobs that are still to be done; ``done`` are ids of staged cells.

    Raises
    ------
    LandscapeError
        If the column of the coefficient is not there, or a cell mixes architectures.
    """
    table = zoo.table.reset_index()
    table = table[table["measured"].to_numpy(dtype=bool) & ~table["cell_id"].isin(done)].sort_values(
        ["cell_id", "seed"]
    )
    if options.coefficient is not None and options.coefficient not in table:
        raise LandscapeError(f"zoo {zoo.name!r} has no column {options.coefficient!r} that holds the coefficient")
    mixed = table.groupby("cell_id")["architecture"].nunique()
    if (mixed > 1).any():
        raise LandscapeError(f"cell {mixed.index[mixed > 1][0]!r} holds networks of several architectures")
    jobs = []
    for architecture, rows in table.groupby("architecture"):
        for number, part in enumerate(_parts(rows)):
            cells = [_cell(zoo.name, str(cell), own, options) for cell, own in part.groupby("cell_id")]
            payload = AnnotationPayload(
                zoo.path,
                staging,
                fingerprint,
                options,
                str(architecture),
                tuple(cells),
                tuple(part["model_id"]),
                None if options.coefficient is None else tuple(part[options.coefficient].astype(float)),
                device,
            )
            parameters = zoo.card.architectures[str(architecture)].parameters()
            jobs.append(Job(f"{architecture}_{cells[0].cell_id}_{number}", parameters * _units(cells), payload))
    return jobs


def annotate_cells_of(payload: AnnotationPayload, report: Callable[[float], None]) -> None:
    """Measure the cells of one job and stage each; those that an earlier attempt staged are kept."""
    zoo, options = Zoo(payload.zoo), payload.options
    staging = Staging(payload.staging, payload.fingerprint)
    device = torch.device(payload.device)
    stack = _read(zoo, payload.model_ids).to(device)
    data = options.training_data(zoo.name)
    objective = data.objective(stack.architecture, payload.coefficients).to(device)
    definition = options.settled_definition()
    epoch = zoo.card.measured_epoch
    cost = zoo.card.architectures[payload.architecture].parameters()
    cells = list(payload.cells)
    runs = measure_runs(cells, stack, epoch, objective)
    runs = runs.assign(**measure_hessians(zoo.name, cells, stack, objective, definition))
    report(cost * HESSIAN_SHARE * stack.size)
    curves = cost * (_units(cells) - HESSIAN_SHARE * stack.size)
    pairs = measure_pairs(
        zoo.name,
        cells,
        stack,
        epoch,
        objective,
        definition,
        pass_size=_pass_size(stack, objective, options),
        progress=lambda share: report(share * curves),
    )
    staged = staging.staged()
    for cell in cells:
        if cell.cell_id not in staged:
            own = runs[runs["cell_id"] == cell.cell_id].assign(architecture=payload.architecture)
            staging.stage(cell.cell_id, own, None, pairs[pairs["cell_id"] == cell.cell_id])


def _parts(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Whole cells, together about :data:`RUNS_PER_JOB` runs."""
    seeds = rows.groupby("cell_id").size()
    number = ((seeds.cumsum() - 1) // RUNS_PER_JOB).rename("part")
    return [part for _, part in rows.groupby(rows["cell_id"].map(number))]


def _cell(zoo: str, cell_id: str, rows: pd.DataFrame, options: AnnotationOptions) -> CellRuns:
    seeds = tuple(int(seed) for seed in rows["seed"])
    pairs = seed_pairs(zoo, seeds, options.disjoint_pairs)
    return CellRuns(cell_id, seeds, pairs, longer_pairs(zoo, seeds, pairs, options.longer_curve_pairs))


def _units(cells: list[CellRuns]) -> float:
    curves = sum(len(cell.pairs) + 2 * len(cell.longer) for cell in cells)
    return curves + HESSIAN_SHARE * sum(len(cell.seeds) for cell in cells)


def _read(zoo: Zoo, model_ids: tuple[str, ...]) -> ModelStack:
    (stack,) = zoo.models(model_ids).by_architecture()
    tensors = {name: torch.from_numpy(np.array(stack[name])) for name in stack.keys()}  # noqa: SIM118 - no mapping
    return ModelStack.from_tensors(stack.architecture, tensors)


def _pass_size(stack: ModelStack, objective: Objective, options: AnnotationOptions) -> PassSize | None:
    """How many pairs are one computation, by a short measurement; results agree to floating-point tolerance."""
    curve = options.settled_definition().curve.optimisation
    if curve is None:
        return None
    smaller = min(curve.samples, objective.train_size)
    return measure_pass_size(stack, objective, curve.model_copy(update={"batch_size": smaller}))
