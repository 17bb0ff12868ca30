"""Weight statistics: seven numbers a tensor, made comparable across widths, and gradient boosting.

Mean, standard deviation and percentiles 0, 25, 50, 75 and 100 of every tensor predict the accuracy of a network
well (Unterthiner et al. 2020, *Predicting neural network accuracy from weights*, arXiv 2002.11448). Raw, they
confuse a tensor's size with what was learned. Three things make them comparable between networks of any width:

* a weight matrix or a kernel is multiplied by √fan-in, so that 1 is a unit's gain at any width;
* minimum and maximum stand further out the more entries a tensor has: their distance from the mean is divided by
  that of the extreme of as many normal draws;
* batch norm undoes the scale of the filters before it. The gain and the shift that each channel is left with once
  its norm is folded into its filter do not depend on that scale; they are described like tensors of their own.

The size itself stands beside them as one feature, the logarithm of the number of parameters.

``fit`` searches the depth of the trees and the number of rounds (``LEAVES``, ``ROUNDS``) by cross-validation over
whole cells of the train models it is given, so no setting has seen a test cell; ``search`` holds what it found, and
``search/weight_statistics.json`` records it for every fold of every task. The other settings, and the choice of
features, were fixed on a population that was trained for that purpose alone: ``search/weight_statistics.md``.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Final

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GroupKFold

from wslbench import Models
from wslbench.encodings import statistics
from wslbench.typing import Context
from wslbench.zoo import Stack

Array = npt.NDArray[np.float64]

STATISTICS: Final = ("mean", "std", "p0", "p25", "p50", "p75", "p100")
BATCH_NORM_EPSILON: Final = 1e-5
LEAVES: Final = (4, 8)
ROUNDS: Final = (60, 120, 240)
INNER_FOLDS: Final = 3
ENSEMBLE: Final = 4
SETTINGS: Final = {
    "learning_rate": 0.05,
    "min_data_in_leaf": 5,
    "lambda_l2": 3.0,
    "feature_fraction": 0.1,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 63,
    "feature_pre_filter": False,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


class WeightStatistics:
    """Mean, spread and percentiles of every tensor, comparable across widths; gradient boosting.

    Attributes
    ----------
    search
        After ``fit``: the loss of each (leaves, rounds) that was tried, over inner folds of whole cells; empty
        where there are too few cells to search.
    settings
        After ``fit``: the (leaves, rounds) that were used.
    """

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Search the settings on held-out cells of the train models, then fit a small ensemble on all of them."""
        described = describe(models)
        self._columns = described.columns
        features = described.to_numpy()
        labels, weights, objective = labelled(target, context)
        self.search = search_settings(features, labels, weights, objective, context)
        self.settings = min(self.search, key=lambda tried: self.search[tried], default=(LEAVES[0], ROUNDS[0]))
        leaves, rounds = self.settings
        self._boosters = [
            boost(features, labels, weights, {**objective, "num_leaves": leaves, "seed": seed}, rounds)
            for seed in range(ENSEMBLE * context.seed, ENSEMBLE * (context.seed + 1))
        ]

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``: the ensemble's mean."""
        features = describe(models).reindex(columns=self._columns).to_numpy()
        predictions = [booster.predict(features) for booster in self._boosters]
        return np.asarray(np.mean(predictions, axis=0))


def describe(models: Models) -> pd.DataFrame:
    """Comparable statistics, a row a model; NaN where an architecture lacks a tensor."""
    table = statistics(models)
    place = {column: number for number, column in enumerate(table.columns)}
    parts = []
    for stack in models.by_architecture():
        rows = table.to_numpy()[stack.positions]
        shapes = {name: stack.shape(name) for name in stack.keys()}  # noqa: SIM118 - a Stack is no mapping
        columns: dict[str, Array] = {}
        for name, shape in shapes.items():
            values = rows[:, [place[f"{name}.{statistic}"] for statistic in STATISTICS]]
            if len(shape) > 1:
                values = values * np.sqrt(np.prod(shape[1:]))
            columns |= named(name, comparable_extremes(values, int(np.prod(shape))))
        for name in shapes:
            if name.endswith(".running_var"):
                norm = name.removesuffix(".running_var")
                for kind, channels in fold(stack, norm).items():
                    values = comparable_extremes(summarise(channels), channels.shape[1])
                    columns |= named(f"{norm}.folded_{kind}", values)
        columns["parameters"] = np.full(len(rows), np.log10(sum(np.prod(shape) for shape in shapes.values())))
        parts.append(pd.DataFrame(columns, index=stack.positions))
    return pd.concat(parts).sort_index() if parts else table


def named(name: str, values: Array) -> dict[str, Array]:
    """The seven statistics of one tensor as columns."""
    return {f"{name}.{statistic}": values[:, number] for number, statistic in enumerate(STATISTICS)}


def comparable_extremes(values: Array, entries: int) -> Array:
    """Divide the extremes' distance from the mean by the expected extreme of ``entries`` normal draws (Blom 1958)."""
    if entries < 2:
        return values
    expected = NormalDist().inv_cdf((entries - 0.375) / (entries + 0.25))
    values = values.copy()
    for column in (STATISTICS.index("p0"), STATISTICS.index("p100")):
        values[:, column] = values[:, 0] + (values[:, column] - values[:, 0]) / expected
    return values


def summarise(channels: Array) -> Array:
    """``[n, 7]`` statistics of ``[n, channels]``, in the order of ``STATISTICS``."""
    percentiles = np.percentile(channels, (0, 25, 50, 75, 100), axis=1)
    return np.column_stack([channels.mean(axis=1), channels.std(axis=1), *percentiles])


def fold(stack: Stack, norm: str) -> dict[str, Array]:
    """Gain and shift ``[n, channels]`` of every channel once a batch norm is folded into the layer before it.

    Nothing where the tensor right before the norm is no matrix or kernel of as many channels.
    """
    names = stack.keys()
    before = names[: min(number for number, name in enumerate(names) if name.startswith(f"{norm}."))]
    kernel = next((name for name in reversed(before) if len(stack.shape(name)) > 1), None)
    if kernel is None or stack.shape(kernel)[0] != stack.shape(f"{norm}.running_var")[0]:
        return {}
    scale = 1 / np.sqrt(stack[f"{norm}.running_var"].astype(np.float64) + BATCH_NORM_EPSILON)
    if f"{norm}.weight" in names:
        scale = scale * stack[f"{norm}.weight"]
    mean = stack[f"{norm}.running_mean"]
    if (bias := kernel.removesuffix("weight") + "bias") in before:
        mean = mean - stack[bias]
    filters = stack[kernel].reshape(*scale.shape, -1)
    shift = -mean * scale
    if f"{norm}.bias" in names:
        shift = shift + stack[f"{norm}.bias"]
    return {"gain": np.abs(scale) * np.linalg.norm(filters, axis=2), "shift": shift}


def labelled(target: npt.NDArray[Any], context: Context) -> tuple[Array, Array, dict[str, Any]]:
    """Labels, weights and lightgbm's objective: every phase weighs as much as every other, whatever its frequency."""
    if not context.classes:
        return np.asarray(target, dtype=np.float64), np.ones(len(target)), {"objective": "l2"}
    indicators = np.asarray(target)[:, None] == np.array(context.classes, dtype=object)
    weights = (indicators / np.maximum(indicators.mean(axis=0), 1 / len(target))).sum(axis=1)
    objective = {"objective": "multiclass", "num_class": len(context.classes)}
    return indicators.argmax(axis=1).astype(np.float64), weights / weights.mean(), objective


def boost(features: Array, labels: Array, weights: Array, parameters: dict[str, Any], rounds: int) -> lightgbm.Booster:
    """One booster."""
    data = lightgbm.Dataset(features, labels, weight=weights)
    return lightgbm.train({**SETTINGS, **parameters}, data, rounds, keep_training_booster=True)


def search_settings(
    features: Array, labels: Array, weights: Array, objective: dict[str, Any], context: Context
) -> dict[tuple[int, int], float]:
    """Weighted loss of every (leaves, rounds) over inner folds of whole cells: squared error, or log loss."""
    folds = min(INNER_FOLDS, len(np.unique(context.groups)))
    if folds < 2:
        return {}
    losses = {(leaves, rounds): 0.0 for leaves in LEAVES for rounds in ROUNDS}
    cells = GroupKFold(folds, shuffle=True, random_state=context.seed)
    for train, test in cells.split(features, groups=context.groups):
        for leaves in LEAVES:
            parameters = {**objective, "num_leaves": leaves, "seed": context.seed}
            booster = boost(features[train], labels[train], weights[train], parameters, max(ROUNDS))
            for rounds in ROUNDS:
                prediction = np.asarray(booster.predict(features[test], num_iteration=rounds))
                errors = loss(labels[test], prediction)
                losses[leaves, rounds] += float(np.average(errors, weights=weights[test])) / folds
    return losses


def loss(labels: Array, prediction: Array) -> Array:
    """``[n]`` squared errors of values, or ``-log`` of the probability of the true phase."""
    if prediction.ndim == 1:
        return (prediction - labels) ** 2
    of_truth = prediction[np.arange(len(labels)), labels.astype(np.int64)]
    return np.asarray(-np.log(np.maximum(of_truth, 1e-6)))
