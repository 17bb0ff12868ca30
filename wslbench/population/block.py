"""One column of a zoo: all cells of one load, trained and measured as one stack.

Learning rate and seed do not change shapes, so that all runs of a column are one computation.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.datasets import load_dataset
from wslbench.landscape.connectivity import CURVE_POINTS, CurveFit, fit_curves
from wslbench.landscape.hessian import hessian_trace, top_eigenvalue
from wslbench.landscape.similarity import linear_cka
from wslbench.population.recipe import Cell, Recipe
from wslbench.training import (
    ModelStack,
    TrainingResult,
    logits_of,
    performance,
    reestimate_batch_norm,
    seed_from,
    train_stack,
)
from wslbench.training.loop import Progress

Pairs = list[tuple[int, int]]


class Data(NamedTuple):
    """The data set as tensors, with the fixed subset that Hessians are taken on."""

    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    hessian_subset: Tensor


class TrainedColumn(NamedTuple):
    """Networks of a column by epoch, statistics re-estimated, and the loss that the optimiser saw."""

    checkpoints: dict[int, ModelStack]
    running_loss: NDArray[np.float64]


class MeasuredColumn(NamedTuple):
    """What is known of a column.

    Attributes
    ----------
    runs
        A row a run and epoch: cell_id, seed, epoch, losses, accuracies, Hessian (measured epoch only).
    pairs
        A row a seed pair and epoch: cell_id, seed_a, seed_b, epoch, mode_connectivity, cka, curve values.
    """

    runs: pd.DataFrame
    pairs: pd.DataFrame


def load_data(recipe: Recipe) -> Data:
    """The recipe's data set; wrong labels and the Hessian subset are the same for every model of the zoo."""
    dataset = load_dataset(recipe.data_set)
    labels = with_label_noise(
        dataset.train_labels, recipe.label_noise, dataset.classes, seed_from(recipe.name, "label-noise")
    )
    order = np.random.default_rng(seed_from(recipe.name, "hessian-subset")).permutation(len(dataset.train_labels))
    subset = np.sort(order[: recipe.hessian.subset_size])
    return Data(
        torch.from_numpy(dataset.train_inputs),
        torch.from_numpy(labels),
        torch.from_numpy(dataset.test_inputs),
        torch.from_numpy(dataset.test_labels),
        torch.from_numpy(subset),
    )


def with_label_noise(labels: NDArray[np.int64], share: float, classes: int, seed: int) -> NDArray[np.int64]:
    """Labels of which exactly ``round(share * n)`` are replaced by another class, drawn uniformly."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(labels))[: round(share * len(labels))]
    noisy = labels.copy()
    noisy[chosen] = (labels[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return noisy


def column_cells(recipe: Recipe, load: int) -> list[Cell]:
    """The cells of one load, by temperature: the order of the stack, seeds within cells."""
    return [cell for cell in recipe.cells() if cell.load == load]


def train_column(recipe: Recipe, load: int, data: Data, progress: Progress | None = None) -> TrainedColumn:
    """Train all runs of one load for twice the measured epoch, and keep the epochs that are needed."""
    runs = [(cell, seed) for cell in column_cells(recipe, load) for seed in range(recipe.seeds)]
    stack = ModelStack.initialise(
        recipe.architecture_of(load),
        [seed_from(recipe.name, cell.cell_id, seed, "initialisation") for cell, seed in runs],
    )
    result: TrainingResult = train_stack(
        stack,
        data.train_inputs,
        data.train_labels,
        recipe.optimisation.model_copy(update={"epochs": recipe.continued_epoch}),
        learning_rates=[cell.temperature for cell, _ in runs],
        seeds=[seed_from(recipe.name, cell.cell_id, seed, "data") for cell, seed in runs],
        keep_epochs=(recipe.early_epoch, recipe.measured_epoch, recipe.continued_epoch),
        augmentation=recipe.augmentation,
        progress=progress,
    )
    checkpoints = {
        epoch: reestimate_batch_norm(trained, data.train_inputs) for epoch, trained in result.checkpoints.items()
    }
    return TrainedColumn(checkpoints, result.running_loss)


def measure_column(
    recipe: Recipe, load: int, trained: TrainedColumn, data: Data, progress: Progress | None = None
) -> MeasuredColumn:
    """Order parameters of all cells of a column, at the measured and at the continued epoch.

    The continued runs only answer whether a phase still changes: a ring of seed pairs is enough for them,
    where the measured ones are compared all with all.
    """
    cells = column_cells(recipe, load)
    everyone: Pairs = list(combinations(range(recipe.seeds), 2))
    ring: Pairs = [(seed, (seed + 1) % recipe.seeds) for seed in range(recipe.seeds)]
    measured, continued = recipe.measured_epoch, recipe.continued_epoch
    pairs = [
        _measure_pairs(recipe, cells, trained.checkpoints[epoch], epoch, chosen, data, progress)
        for epoch, chosen in ((measured, everyone), (continued, ring))
    ]
    runs = [_measure_runs(recipe, cells, checkpoint, epoch, data) for epoch, checkpoint in trained.checkpoints.items()]
    slopes = _loss_slope(trained.running_loss[:measured])
    runs_table = pd.concat(runs, ignore_index=True)
    at_measured = runs_table["epoch"] == measured
    runs_table["loss_slope"] = np.nan
    runs_table.loc[at_measured, "loss_slope"] = slopes
    for name, values in _measure_hessian(recipe, load, trained.checkpoints[measured], data).items():
        runs_table[name] = np.nan
        runs_table.loc[at_measured, name] = values
    return MeasuredColumn(runs_table, pd.concat(pairs, ignore_index=True))


def curve_steps(recipe: Recipe) -> int:
    """Optimisation steps that the curves of a column take."""
    per_epoch = len(load_dataset(recipe.data_set).train_labels) // recipe.curve.batch_size
    return 2 * recipe.curve.epochs * per_epoch


def _measure_runs(recipe: Recipe, cells: list[Cell], stack: ModelStack, epoch: int, data: Data) -> pd.DataFrame:
    train = performance(stack, data.train_inputs, data.train_labels)
    test = performance(stack, data.test_inputs, data.test_labels)
    return pd.DataFrame(
        {
            "cell_id": [cell.cell_id for cell in cells for _ in range(recipe.seeds)],
            "seed": list(range(recipe.seeds)) * len(cells),
            "epoch": epoch,
            "train_loss": train.loss.numpy(),
            "train_accuracy": train.accuracy.numpy(),
            "test_loss": test.loss.numpy(),
            "test_accuracy": test.accuracy.numpy(),
        }
    )


def _measure_pairs(
    recipe: Recipe,
    cells: list[Cell],
    stack: ModelStack,
    epoch: int,
    chosen: Pairs,
    data: Data,
    progress: Progress | None,
) -> pd.DataFrame:
    places = [(index * recipe.seeds + a, index * recipe.seeds + b) for index in range(len(cells)) for a, b in chosen]
    first, second = (np.array(side) for side in zip(*places, strict=True))
    labels = [(cell.cell_id, a, b) for cell in cells for a, b in chosen]
    fit: CurveFit = fit_curves(
        stack.select(first),
        stack.select(second),
        data.train_inputs,
        data.train_labels,
        recipe.curve,
        seeds=[seed_from(recipe.name, cell_id, a, b, epoch, "curve") for cell_id, a, b in labels],
        augmentation=recipe.augmentation,
        progress=progress,
    )
    logits = logits_of(stack, data.test_inputs)
    table = pd.DataFrame(labels, columns=["cell_id", "seed_a", "seed_b"])
    table["epoch"] = epoch
    table["mode_connectivity"] = fit.mode_connectivity
    table["cka"] = linear_cka(logits[first], logits[second]).numpy()
    for point, t in enumerate(CURVE_POINTS):
        table[f"train_error_{t:g}"] = fit.train_error[:, point]
        table[f"train_loss_{t:g}"] = fit.train_loss[:, point]
    return table


def _measure_hessian(recipe: Recipe, load: int, stack: ModelStack, data: Data) -> dict[str, NDArray[np.float64]]:
    settings = recipe.hessian
    inputs, labels = data.train_inputs[data.hessian_subset], data.train_labels[data.hessian_subset]
    runs = [(cell.cell_id, seed) for cell in column_cells(recipe, load) for seed in range(recipe.seeds)]
    trace = hessian_trace(
        stack,
        inputs,
        labels,
        seeds=[seed_from(recipe.name, cell_id, seed, "hessian-trace") for cell_id, seed in runs],
        relative_tolerance=settings.relative_tolerance,
        maximum_probes=settings.maximum_probes,
    )
    top = top_eigenvalue(
        stack,
        inputs,
        labels,
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
    """Least-squares slope of the running loss over the last fifth of the epochs, nats an epoch ``[runs]``."""
    last = running_loss[-max(2, len(running_loss) // 5) :]
    time = np.arange(len(last)) - (len(last) - 1) / 2
    slope: NDArray[np.float64] = time @ last / (time @ time)
    return slope
