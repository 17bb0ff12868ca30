"""The plan of a zoo: what growing it would take, told before anything is trained."""

from __future__ import annotations

from typing import NamedTuple

from wslbench.errors import ArchitectureError, RecipeError
from wslbench.population.checks import disk_bytes, zoo_bytes
from wslbench.population.plan_data import PlanData, plan_data
from wslbench.population.plan_time import TimeEstimate, estimate_time
from wslbench.population.plan_work import BACKWARD, HESSIAN_PRODUCT, cells_of_load, forward_flops
from wslbench.population.recipe import Recipe


class Operations(NamedTuple):
    """Floating-point operations of matrix products and convolutions.

    A training step counts as three forward passes, a Hessian-vector product as six.

    Attributes
    ----------
    training
        Of all runs, with the longer ones that tell whether a cell is finished.
    curves
        Of fitting the curves of mode connectivity.
    evaluation
        Of losses, batch-norm statistics, representations and the points on curves.
    hessians
        At most: probes end when the estimate is good.
    """

    training: float
    curves: float
    evaluation: float
    hessians: float

    @property
    def total(self) -> float:
        """All of them."""
        return sum(self)


class LoadPlan(NamedTuple):
    """One value of the load.

    Attributes
    ----------
    parameters
        Of a network.
    run_training
        Operations of training one run, the mean over temperatures.
    operations
        Of all its runs.
    """

    load: int | float
    parameters: int
    run_training: float
    operations: Operations


class Plan(NamedTuple):
    """What growing a zoo would take.

    Attributes
    ----------
    cells, runs, checkpoints
        Grid points, training runs, and networks that the zoo stores.
    loads
        In the grid's order.
    parameters
        Of all stored checkpoints together.
    zoo_bytes, peak_bytes
        Weights of the finished zoo, and the most that growing it takes on disk.
    data
        Of the data set, and whether it is here.
    """

    recipe: Recipe
    jobs: int
    cells: int
    runs: int
    checkpoints: int
    loads: tuple[LoadPlan, ...]
    parameters: int
    operations: Operations
    zoo_bytes: int
    peak_bytes: int
    data: PlanData
    time: TimeEstimate


def plan_of(recipe: Recipe, jobs: int) -> Plan:
    """Plan a zoo; some twenty seconds go into timing real training steps on this machine's processor.

    The data set need not be here: published sizes and made-up samples then stand in.

    Parameters
    ----------
    jobs
        Processes of one thread each.

    Raises
    ------
    RecipeError
        If an architecture cannot be built, or a batch is larger than the train set.
    """
    data = plan_data(recipe)
    _check(recipe, data)
    loads = tuple(_load_plan(recipe, data, load) for load in recipe.load.values)
    cells = len(recipe.load.values) * len(recipe.temperature.values)
    each = len(recipe.temperature.values) * recipe.seeds * len(recipe.kept_epochs)
    return Plan(
        recipe,
        jobs,
        cells=cells,
        runs=cells * recipe.seeds,
        checkpoints=each * len(loads),
        loads=loads,
        parameters=each * sum(load.parameters for load in loads),
        operations=Operations(*(sum(parts) for parts in zip(*(load.operations for load in loads), strict=True))),
        zoo_bytes=zoo_bytes(recipe),
        peak_bytes=disk_bytes(recipe, jobs),
        data=data,
        time=estimate_time(recipe, data, jobs),
    )


def _check(recipe: Recipe, data: PlanData) -> None:
    for load in recipe.load.values:
        try:
            recipe.architecture_of(load).parameters()
        except ArchitectureError as error:
            raise RecipeError(f"recipe {recipe.name!r}, {recipe.load.column} {load:g}: {error}") from error
    for cell in recipe.cells():
        if recipe.optimisation_of(cell).samples > data.train_size:
            raise RecipeError(
                f"recipe {recipe.name!r}, cell {cell.cell_id}: batch_size is larger than the train set "
                f"({data.train_size})"
            )


def _load_plan(recipe: Recipe, data: PlanData, load: float) -> LoadPlan:
    forward = forward_flops(recipe, data, load)
    weights = (BACKWARD, BACKWARD, 1, HESSIAN_PRODUCT)
    samples = [sum(parts) for parts in zip(*cells_of_load(recipe, data, load), strict=True)]
    operations = Operations(*(forward * weight * count for weight, count in zip(weights, samples, strict=True)))
    runs = len(recipe.temperature.values) * recipe.seeds
    return LoadPlan(load, recipe.architecture_of(load).parameters(), operations.training / runs, operations)
