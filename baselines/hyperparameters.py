"""Hyper-parameters: the forbidden oracle, which is told load and temperature and sees no weights.

It says how far the position in the phase diagram alone carries. No method that reads weights gets these two
numbers; the oracle's results are flagged as privileged and never count as a floor that lift is measured over.
Its rivals are k nearest neighbours, a Gaussian process over cells and gradient boosting, all on standardised
logarithms; the one that does best on held-out cells of the train models, judged by the task's headline metric,
is used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import kendalltau
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsRegressor

from wslbench import Models
from wslbench.typing import Context

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Predictor = Callable[[Array], Array]
Candidate = Callable[[Array, Array, Integers, int], Predictor]


class Hyperparameters:
    """Oracle: told load and temperature, sees no weights; best of k-NN, Gaussian process and boosting."""

    privilege = "hyperparameters"

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Choose among the candidates on held-out cells of the train models, and fit the best."""
        if context.hyperparameters is None:
            raise ValueError("the oracle was not given the train models' hyper-parameters")
        self._oracle = Oracle(positions(context.hyperparameters), target, context)

    def predict(self, models: Models, hyperparameters: pd.DataFrame) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        return self._oracle.predict(positions(hyperparameters))


def positions(hyperparameters: pd.DataFrame) -> Array:
    """``[n, 2]``: natural logarithms of load and temperature."""
    return np.asarray(np.log(hyperparameters[["load", "temperature"]].to_numpy(dtype=np.float64)))


class Oracle:
    """From a position in the phase diagram to the target.

    Parameters
    ----------
    position
        ``[n, 2]``: log load and log temperature.
    target
        ``[n]`` phases or values.
    context
        What the evaluator told the method.
    """

    def __init__(self, position: Array, target: npt.NDArray[Any], context: Context) -> None:
        self._classifies = bool(context.classes)
        self._centre = position.mean(axis=0)
        self._scale = np.maximum(position.std(axis=0), 1e-9)
        standardised = (position - self._centre) / self._scale
        columns = as_columns(target, context)
        candidates: list[Candidate] = [*(neighbours(cells) for cells in (3, 6, 12)), gaussian_process, boosting]
        scores = [inner_score(candidate, standardised, columns, context) for candidate in candidates]
        best = candidates[int(np.argmax(scores))]
        self._predictor = best(standardised, columns, context.groups, context.seed)

    def predict(self, position: Array) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        prediction = self._predictor((position - self._centre) / self._scale)
        return prediction if self._classifies else prediction[:, 0]


def as_columns(target: npt.NDArray[Any], context: Context) -> Array:
    """``[n, 1]`` values; or ``[n, classes]`` indicators that weigh every phase alike.

    Indicators are divided by the phase's frequency: the headline, balanced accuracy, counts a rare phase as
    much as a common one.
    """
    if not context.classes:
        return np.asarray(target, dtype=np.float64)[:, None]
    indicators = (np.asarray(target)[:, None] == np.array(context.classes, dtype=object)).astype(np.float64)
    return np.asarray(indicators / np.maximum(indicators.mean(axis=0), 1 / len(indicators)))


def as_probabilities(scores: Array) -> Array:
    """Rows that sum to 1; one column stands for a value and is left alone."""
    if scores.shape[1] == 1:
        return scores
    positive = np.maximum(scores, 1e-6)
    return np.asarray(positive / positive.sum(axis=1, keepdims=True))


def neighbours(cells: int) -> Candidate:
    """Distance-weighted mean of as many nearest models as ``cells`` cells hold."""

    def fit(position: Array, columns: Array, groups: Integers, seed: int) -> Predictor:
        count = min(len(position), round(cells * len(position) / len(np.unique(groups))))
        model = KNeighborsRegressor(count, weights="distance").fit(position, columns)
        return lambda new: as_probabilities(np.asarray(model.predict(new)))

    return fit


def gaussian_process(position: Array, columns: Array, groups: Integers, seed: int) -> Predictor:
    """A Gaussian process over cells: the seeds of a cell are one observation, their mean."""
    _, member, size = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(member, kind="stable")
    starts = np.cumsum(size) - size
    cell_position = np.add.reduceat(position[order], starts) / size[:, None]
    cell_columns = np.add.reduceat(columns[order], starts) / size[:, None]
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * RBF((1.0, 1.0), (0.1, 1e2)) + WhiteKernel(0.1, (1e-4, 1e1))
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: that axis does not matter
        model.fit(cell_position, cell_columns)
    return lambda new: as_probabilities(model.predict(new).reshape(len(new), -1))


def boosting(position: Array, columns: Array, groups: Integers, seed: int) -> Predictor:
    """Gradient boosting, kept shallow: there are two features."""
    parameters = {
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": seed,
        "learning_rate": 0.1,
        "num_leaves": 6,
        "min_data_in_leaf": 5,
        "lambda_l2": 1.0,
    }
    if columns.shape[1] == 1:
        values = lightgbm.train({**parameters, "objective": "l2"}, lightgbm.Dataset(position, columns[:, 0]), 80)
        return lambda new: np.asarray(values.predict(new))[:, None]
    data = lightgbm.Dataset(position, columns.argmax(axis=1), weight=columns.max(axis=1))
    booster = lightgbm.train({**parameters, "objective": "multiclass", "num_class": columns.shape[1]}, data, 80)
    return lambda new: np.asarray(booster.predict(new))


def inner_score(candidate: Candidate, position: Array, columns: Array, context: Context) -> float:
    """Mean headline metric over inner folds of whole cells; 0 where there are too few cells to tell."""
    folds = min(4, len(np.unique(context.groups)))
    if folds < 2:
        return 0.0
    split = GroupKFold(folds, shuffle=True, random_state=context.seed).split(position, groups=context.groups)
    scores = []
    for train, test in split:
        predictor = candidate(position[train], columns[train], context.groups[train], context.seed)
        scores.append(headline(columns[test], predictor(position[test])))
    return float(np.mean(scores))


def headline(columns: Array, prediction: Array) -> float:
    """Balanced accuracy over the phases that occur, or Kendall's τ (0 for a constant prediction)."""
    if columns.shape[1] == 1:
        return float(np.nan_to_num(kendalltau(columns[:, 0], prediction[:, 0]).statistic))
    truth, guess = columns.argmax(axis=1), prediction.argmax(axis=1)
    return float(np.mean([np.mean(guess[truth == phase] == phase) for phase in np.unique(truth)]))
