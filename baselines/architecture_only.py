"""Architecture only: what the shapes of the tensors give away, without a single value.

The logarithms of every tensor's dimensions and of the number of parameters are the features. Either the
nearest architectures answer, or gradient boosting does: whichever does better on held-out cells of the train
models, judged by the task's headline metric.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from hyperparameters import as_columns, as_probabilities, headline
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsRegressor

from wslbench import Models
from wslbench.typing import Context

Array = npt.NDArray[np.float64]
Predictor = Callable[[Array], Array]
Candidate = Callable[[Array, Array, int], Predictor]


class ArchitectureOnly:
    """The shapes of the tensors, no values; nearest architectures or boosting, chosen inside the train fold."""

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Choose between the candidates on held-out cells of the train models, and fit the better one."""
        shapes = describe_shapes(models)
        self._columns = shapes.columns
        features = self._align(shapes)
        labels = as_columns(target, context)
        candidates = [*(nearest(count) for count in (1, 2, 4)), boosting]
        best = max(candidates, key=lambda candidate: inner_score(candidate, features, labels, context))
        self._predictor = best(features, labels, context.seed)
        self._classifies = bool(context.classes)

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        prediction = self._predictor(self._align(describe_shapes(models)))
        return prediction if self._classifies else prediction[:, 0]

    def _align(self, shapes: pd.DataFrame) -> Array:
        # A tensor that an architecture lacks has size 0; -1 keeps it apart from size 1.
        return shapes.reindex(columns=self._columns).fillna(-1.0).to_numpy(dtype=np.float64)


def describe_shapes(models: Models) -> pd.DataFrame:
    """log10 of every tensor's dimensions and of the number of parameters, a row a model."""
    rows: list[dict[str, float]] = [{}] * len(models)
    for stack in models.by_architecture():
        shapes = {name: stack.shape(name) for name in stack.keys()}  # noqa: SIM118 - a Stack is no mapping
        described = {
            f"{name}[{axis}]": np.log10(size) for name, shape in shapes.items() for axis, size in enumerate(shape)
        }
        described["parameters"] = np.log10(sum(np.prod(shape) for shape in shapes.values()))
        for position in stack.positions:
            rows[position] = described
    return pd.DataFrame(rows)


def nearest(count: int) -> Candidate:
    """The mean over the models of the ``count`` nearest architectures."""

    def fit(features: Array, labels: Array, seed: int) -> Predictor:
        architectures, member, size = np.unique(features, axis=0, return_inverse=True, return_counts=True)
        total = np.zeros((len(architectures), labels.shape[1]))
        np.add.at(total, member, labels)
        model = KNeighborsRegressor(min(count, len(architectures))).fit(architectures, total / size[:, None])
        return lambda new: as_probabilities(np.asarray(model.predict(new)))

    return fit


def boosting(features: Array, labels: Array, seed: int) -> Predictor:
    """Gradient boosting, kept shallow: there are few architectures."""
    parameters = {
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": seed,
        "learning_rate": 0.1,
        "num_leaves": 4,
        "min_data_in_leaf": 10,
    }
    if labels.shape[1] == 1:
        data = lightgbm.Dataset(features, labels[:, 0])
        values = lightgbm.train({**parameters, "objective": "l2"}, data, 60)
        return lambda new: np.asarray(values.predict(new))[:, None]
    data = lightgbm.Dataset(features, labels.argmax(axis=1), weight=labels.max(axis=1))
    booster = lightgbm.train({**parameters, "objective": "multiclass", "num_class": labels.shape[1]}, data, 60)
    return lambda new: np.asarray(booster.predict(new))


def inner_score(candidate: Candidate, features: Array, labels: Array, context: Context) -> float:
    """Mean headline metric over inner folds of whole cells; 0 where there are too few cells to tell."""
    folds = min(4, len(np.unique(context.groups)))
    if folds < 2:
        return 0.0
    split = GroupKFold(folds, shuffle=True, random_state=context.seed).split(features, groups=context.groups)
    return float(
        np.mean(
            [
                headline(labels[test], candidate(features[train], labels[train], context.seed)(features[test]))
                for train, test in split
            ]
        )
    )
