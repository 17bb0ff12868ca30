"""What could be reached at all: scores that no method is expected to pass, and why.

``cell_means``
    For targets that differ between the seeds of a cell: the scores of one who knows every cell's mean exactly. It is
    the ceiling of the hyper-parameter oracle and of everything that recognises only the cell; its R² is the
    between-cell share of the variance. A method that reads more out of the weights can pass it.
``continuous``
    The τ_b of a perfect order without ties, where targets (accuracies, say) are tied.
``label_noise``
    Phases come from a few seeds a cell. If a cell's phase were drawn anew from the bootstrap over its seeds, one who
    always names the committed phase would be right with the phase's probability; this is their balanced accuracy.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import Resamples
from wslbench.evaluation.scoring_regression import score_regression
from wslbench.tasks import Problem
from wslbench.tasks.metrics import rank, regression
from wslbench.tasks.metrics.ratio import ratio

FloatArray = npt.NDArray[np.float64]

_OF_CELL_MEANS = ("kendall_tau", "spearman", "r2", "mae")


def ceilings(problem: Problem, resamples: Resamples) -> dict[str, dict[str, FloatArray]]:
    """Ceilings by name and metric, each as draws ``[1 + resamples]``."""
    if problem.is_classification:
        return {"label_noise": {"balanced_accuracy": _label_noise(problem, resamples)}}
    target = problem.table["target"].to_numpy(dtype=np.float64)
    fold = problem.table["fold"].to_numpy()
    means = np.bincount(resamples.cell, weights=target) / np.bincount(resamples.cell)
    cell_means = score_regression(problem, means[resamples.cell][None], resamples)
    rows = [np.flatnonzero(fold == number) for number in problem.folds]
    ties = [rank.tie_ceiling(target[within], resamples.unit[within], resamples.weights) for within in rows]
    cells = np.stack([resamples.cells(within) for within in rows])
    return {
        "cell_means": {name: cell_means.draws(name) for name in _OF_CELL_MEANS},
        "continuous": {"kendall_tau": regression.average_over_folds(np.stack(ties), cells)},
    }


def _label_noise(problem: Problem, resamples: Resamples) -> FloatArray:
    probability = problem.table["phase_probability"].to_numpy(dtype=np.float64)
    phase = problem.table["phase"].to_numpy(dtype=object)
    units = len(resamples.units)
    expected, present = np.zeros(len(resamples.weights)), np.zeros(len(resamples.weights))
    for name in problem.classes:
        rows = np.flatnonzero((phase == name) & problem.scored)
        right = resamples.weights @ np.bincount(resamples.unit[rows], weights=probability[rows], minlength=units)
        count = resamples.weights @ np.bincount(resamples.unit[rows], minlength=units)
        expected += ratio(right, count, otherwise=0.0)
        present += count > 0
    return ratio(expected, present)
