"""Decoded hyper-parameters: how much of a score is only load and temperature, read off the weights.

Load and temperature are regressed from the statistics of every tensor (Unterthiner et al. 2020) and the number of
parameters, by ridge regression or gradient boosting, whichever errs less on held-out cells. Train models are decoded
by regressors that never saw their cell, so that the second stage learns from values as noisy as those it will be
given; it is the oracle of ``hyperparameters.py`` on decoded values. A method that understands more
about weights than which grid point they come from beats this floor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from hyperparameters import Oracle
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wslbench import Models
from wslbench.encodings import statistics
from wslbench.typing import Context

Array = npt.NDArray[np.float64]
Predictor = Callable[[Array], Array]


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
