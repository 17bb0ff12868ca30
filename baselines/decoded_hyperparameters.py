"""Decoded hyper-parameters: how much of a score is only load and temperature, read off the weights.

Load and temperature are regressed from the statistics of every tensor (Unterthiner et al. 2020) and the number of
parameters, by ridge regression or gradient boosting, whichever errs less on held-out cells. Train models are decoded
by regressors that never saw their cell, so that the second stage learns from values as noisy as those it will be
given; it is the oracle of ``hyperparameters.py``, line for line, on decoded values. A method that understands more
about weights than which grid point they come from beats this floor.
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
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wslbench import Models
from wslbench.encodings import statistics
from wslbench.typing import Context

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Predictor = Callable[[Array], Array]
Candidate = Callable[[Array, Array, Integers, int], Predictor]


class DecodedHyperparameters:
    """Load and temperature decoded from weight statistics, then the oracle on the decoded values."""

    privilege = "train_hyperparameters"

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Learn to decode, decode every train model out of its own cell, and fit the oracle on the result."""
        if context.hyperparameters is None:
            raise ValueError("this floor was not given the train models' hyper-parameters")
        described = describe(models)
        self._columns = described.columns
        features = self._align(described)
        truth = np.log(context.hyperparameters[["load", "temperature"]].to_numpy(dtype=np.float64))
        decoders, decoded = zip(*(fit_decoder(features, column, context) for column in truth.T), strict=True)
        self._decoders: tuple[Predictor, ...] = decoders
        self._oracle = Oracle(np.column_stack(decoded), target, context)

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        features = self._align(describe(models))
        return self._oracle.predict(np.column_stack([decode(features) for decode in self._decoders]))

    def _align(self, described: pd.DataFrame) -> Array:
        # A tensor that an architecture lacks has no statistics; 0 is as good as any other constant.
        return described.reindex(columns=self._columns).fillna(0.0).to_numpy(dtype=np.float64)


def describe(models: Models) -> pd.DataFrame:
    """Weight statistics and the logarithm of the number of parameters, a row a model."""
    described = statistics(models)
    parameters = np.zeros(len(models))
    for stack in models.by_architecture():
        names = stack.keys()
        parameters[stack.positions] = np.log(sum(np.prod(stack.shape(name)) for name in names))
    return described.assign(parameters=parameters)


def fit_decoder(features: Array, truth: Array, context: Context) -> tuple[Predictor, Array]:
    """The better of two regressors, fitted on all train models, and its out-of-cell predictions for them."""
    folds = min(5, len(np.unique(context.groups)))
    if folds < 2:
        return linear(features, truth, context.seed), truth
    cells = GroupKFold(folds, shuffle=True, random_state=context.seed)
    split = list(cells.split(features, groups=context.groups))
    attempts = []
    for regressor in (linear, trees):
        decoded = np.empty_like(truth)
        for train, test in split:
            decoded[test] = regressor(features[train], truth[train], context.seed)(features[test])
        attempts.append((float(np.mean((decoded - truth) ** 2)), regressor, decoded))
    _, regressor, decoded = min(attempts, key=lambda attempt: attempt[0])
    return regressor(features, truth, context.seed), decoded


def linear(features: Array, truth: Array, seed: int) -> Predictor:
    """Ridge regression on standardised features; the penalty by leave-one-out."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))).fit(features, truth)
    return lambda new: np.asarray(model.predict(new), dtype=np.float64)


def trees(features: Array, truth: Array, seed: int) -> Predictor:
    """Gradient boosting."""
    parameters = {
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": seed,
        "objective": "l2",
        "learning_rate": 0.1,
        "num_leaves": 8,
        "min_data_in_leaf": 5,
        "feature_fraction": 0.3,
        "lambda_l2": 1.0,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(features, truth), 120)
    return lambda new: np.asarray(booster.predict(new), dtype=np.float64)


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
