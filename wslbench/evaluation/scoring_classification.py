"""Scores of phase predictions, pooled over folds.

Recall of a phase within one fold rests on a handful of cells; all out-of-fold predictions are therefore pooled and
scored once. Models whose phase the fold's training side does not hold are left out: no method can name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import Resamples
from wslbench.evaluation.scores import Scores
from wslbench.tasks import Problem
from wslbench.tasks.metrics import classification as metrics

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SURE = 0.8  # the phase probability from which a cell's label counts as sure
MERGED = ("IV-A", "IV-B")


class _Labels(NamedTuple):
    """Phases as indices, and the classes that they index."""

    truth: IntArray
    classes: tuple[str, ...]


def score_classification(problem: Problem, probabilities: FloatArray, resamples: Resamples) -> Scores:
    """Score probabilities ``[seeds, models, classes]``.

    A model counts as named by its most probable class, the earlier one in canonical order where two are equal.
    """
    labels = _labels(problem)
    scored = problem.scored
    sure = scored & (problem.table["phase_probability"].to_numpy(dtype=np.float64) >= SURE)
    by_seed = [metrics.normalised(values) for values in probabilities]
    confusions = [_confusion(labels, values, scored, resamples) for values in by_seed]
    all_metrics = _stack([_headline_metrics(labels, values, scored, resamples) for values in by_seed])
    all_metrics |= _stack([_headline_metrics(labels, values, sure, resamples) for values in by_seed], "_confident")
    if set(MERGED) <= set(problem.classes):
        merged = _merge(labels)
        twins = [_merge_probabilities(labels, values) for values in by_seed]
        all_metrics |= _stack([_headline_metrics(merged, values, scored, resamples) for values in twins], "_iv_merged")
    return Scores(
        metrics=all_metrics,
        per_phase=_per_phase(problem, np.stack(confusions)),
        per_fold=_per_fold(problem, labels, by_seed),
        confusion=np.mean([matrices[0] for matrices in confusions], axis=0),
        tail=resamples.tail,
    )


def _labels(problem: Problem) -> _Labels:
    index = {phase: number for number, phase in enumerate(problem.classes)}
    return _Labels(np.array([index[phase] for phase in problem.table["phase"]], dtype=np.int64), problem.classes)


def _confusion(labels: _Labels, values: FloatArray, rows: BoolArray, resamples: Resamples) -> FloatArray:
    predicted = values.argmax(axis=1)
    by_unit = metrics.confusion_by_unit(
        labels.truth[rows], predicted[rows], resamples.unit[rows], len(resamples.units), len(labels.classes)
    )
    return metrics.resampled_confusion(by_unit, resamples.weights)


def _headline_metrics(
    labels: _Labels, values: FloatArray, rows: BoolArray, resamples: Resamples
) -> dict[str, FloatArray]:
    confusion = _confusion(labels, values, rows, resamples)
    true_probability = values[np.arange(len(values)), labels.truth]
    return {
        "balanced_accuracy": metrics.balanced_accuracy(confusion),
        "macro_f1": metrics.macro_f1(confusion),
        "log_loss": metrics.log_loss(true_probability[rows], resamples.unit[rows], resamples.weights),
    }


def _stack(by_seed: list[dict[str, FloatArray]], suffix: str = "") -> dict[str, FloatArray]:
    return {f"{name}{suffix}": np.stack([draws[name] for draws in by_seed]) for name in by_seed[0]}


def _merge(labels: _Labels) -> _Labels:
    """The labels with IV-A and IV-B as one class, in the place of the first."""
    kept = tuple(phase for phase in labels.classes if phase != MERGED[1])
    twin = [kept.index(MERGED[0] if phase == MERGED[1] else phase) for phase in labels.classes]
    return _Labels(np.array(twin, dtype=np.int64)[labels.truth], kept)


def _merge_probabilities(labels: _Labels, values: FloatArray) -> FloatArray:
    first, second = (labels.classes.index(phase) for phase in MERGED)
    merged = values.copy()
    merged[:, first] += merged[:, second]
    return np.delete(merged, second, axis=1)


def _per_phase(problem: Problem, confusions: FloatArray) -> dict[str, Mapping[str, FloatArray]]:
    """Per phase, from confusion matrices ``[seeds, 1 + resamples, true, predicted]``."""
    values = {
        "recall": metrics.recall(confusions),
        "precision": metrics.precision(confusions),
        "f1": metrics.f1(confusions),
    }
    return {
        phase: {name: array[..., number] for name, array in values.items()}
        for number, phase in enumerate(problem.classes)
    }


def _per_fold(problem: Problem, labels: _Labels, by_seed: list[FloatArray]) -> dict[int, Mapping[str, FloatArray]]:
    """Each fold on its own, for diagnosis: few cells a phase stand behind a number here."""
    fold, scored = problem.table["fold"].to_numpy(), problem.scored
    whole = Resamples(0, ("all",), np.zeros(len(fold), np.int64), np.zeros(len(fold), np.int64), np.ones((1, 1)))
    result: dict[int, Mapping[str, FloatArray]] = {}
    for number in problem.folds:
        rows = scored & (fold == number)
        values = _stack([_headline_metrics(labels, seed, rows, whole) for seed in by_seed])
        result[number] = {name: array[:, 0] for name, array in values.items()}
    return result
