"""Scores of numeric predictions, within folds and then averaged by the folds' numbers of cells.

Each fold's method knows its own train mean. Pooled over folds, a method that predicts nothing but that mean would be
anti-correlated with the targets (a fold with high targets has a low train mean), and every method would be charged
for it; so R² is taken against the fold's own train mean, and ranks are compared within the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import Resamples
from wslbench.evaluation.scores import Scores
from wslbench.tasks import PHASES, Problem
from wslbench.tasks.metrics import rank, regression

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FoldMetric = Callable[[int, IntArray], FloatArray]


class _Scale(NamedTuple):
    """Targets and predictions of one seed on one scale, with the train mean of each fold."""

    truth: FloatArray
    prediction: FloatArray
    train_mean: Mapping[int, float]


def score_regression(problem: Problem, predictions: FloatArray, resamples: Resamples) -> Scores:
    """Score predictions ``[seeds, models]`` on the task's scale."""
    seeds = [_score_seed(problem, prediction, resamples) for prediction in predictions]
    return Scores(
        metrics={name: np.stack([seed.metrics[name][0] for seed in seeds]) for name in seeds[0].metrics},
        per_phase={
            phase: {name: np.stack([seed.per_phase[phase][name][0] for seed in seeds]) for name in names}
            for phase, names in seeds[0].per_phase.items()
        },
        per_fold={
            fold: {name: np.stack([seed.per_fold[fold][name][0] for seed in seeds]) for name in names}
            for fold, names in seeds[0].per_fold.items()
        },
        tail=resamples.tail,
    )


def _score_seed(problem: Problem, prediction: FloatArray, resamples: Resamples) -> Scores:
    scale = _scale(problem, "target", prediction)
    everything = np.arange(len(prediction))
    fold_metrics = _fold_metrics(scale, resamples)
    by_fold = {name: _by_fold(problem, metric, everything) for name, metric in fold_metrics.items()}
    cells = _cells_by_fold(problem, resamples, everything)
    metrics = {name: regression.average_over_folds(values, cells) for name, values in by_fold.items()}
    metrics["mae"] = regression.mae(scale.truth, prediction, resamples.unit, resamples.weights)
    metrics["kendall_tau_within_cell"] = rank.kendall_tau_within(
        scale.truth, prediction, resamples.cell, resamples.unit, resamples.weights
    )
    if problem.transform.name != "identity":
        metrics |= _natural_metrics(problem, prediction, resamples)
    per_fold: dict[int, Mapping[str, FloatArray]] = {}
    for position, number in enumerate(problem.folds):
        rows = np.flatnonzero(problem.table["fold"].to_numpy() == number)
        error = np.abs(scale.truth[rows] - prediction[rows]).mean()
        per_fold[number] = {name: values[position, :1] for name, values in by_fold.items()} | {"mae": np.array([error])}
    return Scores(
        metrics={name: values[None] for name, values in metrics.items()},
        per_phase=_per_phase(problem, scale, resamples),
        per_fold=per_fold,
    )


def _scale(problem: Problem, column: str, prediction: FloatArray) -> _Scale:
    truth = problem.table[column].to_numpy(dtype=np.float64)
    shown = {number: problem.train(number)[column].to_numpy(dtype=np.float64) for number in problem.folds}
    return _Scale(truth, prediction, {number: float(values.mean()) for number, values in shown.items()})


def _fold_metrics(scale: _Scale, resamples: Resamples) -> dict[str, FoldMetric]:
    """The metrics that are taken within folds, as functions of (fold, rows)."""
    truth, prediction, unit, weights = scale.truth, scale.prediction, resamples.unit, resamples.weights
    return {
        "r2": lambda fold, rows: regression.r2(
            truth[rows], prediction[rows], scale.train_mean[fold], unit[rows], weights
        ),
        "kendall_tau": lambda fold, rows: rank.kendall_tau(truth[rows], prediction[rows], unit[rows], weights),
        "spearman": lambda fold, rows: rank.spearman(truth[rows], prediction[rows], unit[rows], weights),
    }


def _by_fold(problem: Problem, metric: FoldMetric, rows: IntArray) -> FloatArray:
    """A metric over those of the given rows that each fold tests ``[folds, 1 + resamples]``."""
    fold = problem.table["fold"].to_numpy()[rows]
    return np.stack([metric(number, rows[fold == number]) for number in problem.folds])


def _cells_by_fold(problem: Problem, resamples: Resamples, rows: IntArray) -> FloatArray:
    fold = problem.table["fold"].to_numpy()[rows]
    return np.stack([resamples.cells(rows[fold == number]) for number in problem.folds])


def _natural_metrics(problem: Problem, prediction: FloatArray, resamples: Resamples) -> dict[str, FloatArray]:
    truth = problem.table["natural_target"].to_numpy(dtype=np.float64)
    scale = _scale(problem, "natural_target", problem.transform.inverse(prediction))
    everything = np.arange(len(truth))
    by_fold = _by_fold(problem, _fold_metrics(scale, resamples)["r2"], everything)
    cells = _cells_by_fold(problem, resamples, everything)
    return {
        "r2_natural": regression.average_over_folds(by_fold, cells),
        "mae_natural": regression.mae(truth, scale.prediction, resamples.unit, resamples.weights),
    }


def _per_phase(problem: Problem, scale: _Scale, resamples: Resamples) -> dict[str, Mapping[str, FloatArray]]:
    """τ within the phase and MAE over the task's standard deviation (R² would collapse with a phase's range)."""
    phase = problem.table["phase"].to_numpy(dtype=object)
    spread = float(scale.truth.std())
    tau = _fold_metrics(scale, resamples)["kendall_tau"]
    result: dict[str, Mapping[str, FloatArray]] = {}
    for name in (name for name in PHASES if name in set(phase)):
        rows = np.flatnonzero(phase == name)
        values = regression.average_over_folds(_by_fold(problem, tau, rows), _cells_by_fold(problem, resamples, rows))
        error = regression.mae(scale.truth[rows], scale.prediction[rows], resamples.unit[rows], resamples.weights)
        over_spread = error / spread if spread > 0 else np.full_like(error, np.nan)
        result[name] = {"kendall_tau": values[None], "mae_over_sd": over_spread[None]}
    return result
