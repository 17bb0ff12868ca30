"""The work of growing a zoo, counted: samples through every network, and floating-point operations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from wslbench.architectures import Architecture
from wslbench.errors import RecipeError
from wslbench.landscape.connectivity import CURVE_POINTS
from wslbench.population.plan_data import PlanData
from wslbench.population.recipe import Recipe
from wslbench.training.objectives.convection import CONDITION_SHARE
from wslbench.training.objectives.language import EVALUATED_WINDOWS
from wslbench.training.stack import batch_norms

BACKWARD = 3
"""A training step is counted as this many forward passes: one forward, two for the gradient."""

HESSIAN_PRODUCT = 6
"""A Hessian-vector product, the derivative of a gradient, is counted as twice the gradient."""

TANGENT = 2
"""A physics problem's loss needs the derivative along the flow with every value: twice the operations."""


class CellWork(NamedTuple):
    """Samples that the networks of one cell see, all its runs together.

    Attributes
    ----------
    training
        With the gradient, in the runs' own batches.
    curves
        With the gradient, in the curves' batches.
    evaluation
        Forward only: batch-norm statistics, losses, representations, points on curves.
    hessian
        With a Hessian-vector product; at most, as probes end when the estimate is good.
    """

    training: float
    curves: float
    evaluation: float
    hessian: float


def trained_epochs(recipe: Recipe) -> int:
    """Epochs that a run trains for, with the check whether its cell is finished."""
    factor = {"none": 1, "continued": 2, "longer": 3}[recipe.unfinished_check]
    return factor * recipe.measured_epoch


def compared_pairs(recipe: Recipe) -> int:
    """Curves that a cell takes: at the measured epoch, and a ring of its seeds at the continued one."""
    pairs = len(recipe.pairs)
    return pairs if recipe.continued_epoch is None else pairs + min(recipe.seeds, pairs)


def measured_lines(recipe: Recipe) -> int:
    """Curves and straight lines of a cell that are measured at all their points, on train and test samples."""
    return compared_pairs(recipe) + len(recipe.pairs) + recipe.longer_curve_pairs


def work_of_cell(recipe: Recipe, data: PlanData, batch_size: int, normalised: bool) -> CellWork:
    """The work of one cell.

    Parameters
    ----------
    batch_size
        Of its runs: incomplete batches are left out.
    normalised
        Whether its networks have batch-norm statistics to estimate.
    """
    whole = data.train_size // batch_size * batch_size
    curve_batch = min(recipe.curve.batch_size or data.train_size, data.train_size)
    curve_epoch = data.train_size // curve_batch * curve_batch
    pairs = compared_pairs(recipe)
    train, test = data.train_size, data.test_size
    if data.tokens:
        train, test = min(train, EVALUATED_WINDOWS), min(test, EVALUATED_WINDOWS)
    clean = train * (2 if normalised else 1)
    lines = measured_lines(recipe)
    measured = recipe.seeds * (len(recipe.kept_epochs) + (recipe.continued_epoch is not None))
    represented = recipe.seeds * (1 + (recipe.continued_epoch is not None))
    subset = sum(min(recipe.hessian.subset_size, size) for size in (data.train_size, data.test_size))
    products = recipe.hessian.maximum_probes + recipe.hessian.lanczos_iterations
    return CellWork(
        training=float(recipe.seeds * trained_epochs(recipe) * whole),
        curves=float((pairs + 2 * recipe.longer_curve_pairs) * recipe.curve.epochs * curve_epoch),
        evaluation=float(measured * (clean + test) + represented * test + lines * len(CURVE_POINTS) * (clean + test)),
        hessian=float(recipe.seeds * products * subset),
    )


def cells_of_load(recipe: Recipe, data: PlanData, load: float) -> Iterator[CellWork]:
    """The work of all cells of one load."""
    normalised = has_batch_norm(recipe.architecture_of(load))
    for cell in recipe.cells():
        if cell.load == load:
            yield work_of_cell(recipe, data, recipe.optimisation_of(cell).samples, normalised)


def forward_flops(recipe: Recipe, data: PlanData, load: float) -> float:
    """Operations of the matrix products and convolutions of one forward pass of one sample, an addition counted.

    A sample of a physics problem brings its share of initial and boundary points, and derivatives.

    Raises
    ------
    RecipeError
        If the networks do not take the data set's samples.
    """
    try:
        one = _forward_flops(recipe.architecture_of(load).model_dump_json(), data)
    except RuntimeError as error:  # of torch: shapes that do not fit
        raise RecipeError(
            f"recipe {recipe.name!r}, {recipe.load.column} {load:g}: {recipe.architecture.builder} does not take "
            f"samples of {recipe.data_set}, of shape {list(data.sample_shape)}: {' '.join(str(error).split())}"
        ) from error
    return one * TANGENT * (1 + 3 / CONDITION_SHARE) if recipe.load.sets == "coefficient" else one


@lru_cache(maxsize=256)
def _forward_flops(architecture_json: str, data: PlanData) -> float:
    with torch.device("meta"):
        network = Architecture.model_validate_json(architecture_json).module().eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(data.inputs(1, "meta"))
    return float(counter.get_total_flops())


def has_batch_norm(architecture: Architecture) -> bool:
    """Whether networks of it carry batch-norm statistics."""
    with torch.device("meta"):
        return any(True for _ in batch_norms(architecture.module()))
