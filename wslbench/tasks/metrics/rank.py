"""Rank correlations for many bootstrap resamples at once.

Every function takes one unit index a model and weights ``[resamples, units]``, and returns ``[resamples]``: NaN where
the target does not vary, 0 where only the prediction does not (a constant ranks nothing, and must not be excused).

τ is a statistic of *pairs*. A unit that is drawn twice stands for two different units of the population, so its own
pairs count twice and its pairs with another unit count once for each combination; a pair of a unit with its own copy
is no comparison at all and is left out. Scoring the replicated rows instead would count pairs within a unit about
twice too often, and shift the interval away from the value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wslbench.tasks.metrics.pair_sums import PairSums, pair_sums
from wslbench.tasks.metrics.ratio import ratio

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_BLOCK = 512  # rows of the sign matrix at a time: memory stays linear in the number of models
_MANY = 2048  # models, from which on going through all their pairs takes longer than not to
_RANKED = 2**20  # models of resamples that are ranked at a time


def kendall_tau(truth: FloatArray, prediction: FloatArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Kendall's τ_b (Kendall 1945), equal to scipy's where every weight is 1."""
    pairs = _pair_sums(truth, prediction, unit, weights)
    untied = pairs.truth * pairs.prediction
    return np.where(pairs.truth > 0, ratio(pairs.agreement, np.sqrt(untied), otherwise=0.0), np.nan)


def tie_ceiling(truth: FloatArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """The τ_b of predictions that order every untied pair of targets rightly but have no ties themselves.

    ``√(1 − f)`` with f the share of tied pairs of targets: what a perfect but continuous predictor can reach.
    """
    pairs = _pair_sums(truth, np.arange(len(truth), dtype=np.float64), unit, weights)
    return np.where(pairs.truth > 0, np.sqrt(ratio(pairs.truth, pairs.prediction)), np.nan)


def spearman(truth: FloatArray, prediction: FloatArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Spearman's ρ: Pearson's correlation of mid-ranks, ranked anew in every resample."""
    step = max(1, _RANKED // max(1, len(truth)))
    firsts = range(0, len(weights), step)
    return np.concatenate([_spearman(truth, prediction, weights[first : first + step, unit]) for first in firsts])


def _spearman(truth: FloatArray, prediction: FloatArray, row_weights: FloatArray) -> FloatArray:
    x, y = _centred_ranks(truth, row_weights), _centred_ranks(prediction, row_weights)
    spread_x, spread_y = (row_weights * x * x).sum(axis=1), (row_weights * y * y).sum(axis=1)
    product = (row_weights * x * y).sum(axis=1)
    return np.where(spread_x > 0, ratio(product, np.sqrt(spread_x * spread_y), otherwise=0.0), np.nan)


def kendall_tau_within(
    truth: FloatArray, prediction: FloatArray, group: IntArray, unit: IntArray, weights: FloatArray
) -> FloatArray:
    """Mean over groups of τ_b among a group's models; groups whose targets are all tied are left out.

    Parameters
    ----------
    group
        Group index of each model; a group lies within one unit.
    """
    units = weights.shape[1]
    total, count = np.zeros(units), np.zeros(units)
    order = np.argsort(group, kind="stable")
    _, starts, sizes = np.unique(group[order], return_index=True, return_counts=True)
    for size in np.unique(sizes):  # groups of one size together
        rows = order[starts[sizes == size, None] + np.arange(size)]
        signs = [np.sign(values[rows][:, :, None] - values[rows][:, None, :]) for values in (truth, prediction)]
        untied = [np.abs(each).sum(axis=(1, 2)) for each in signs]
        tau = ratio((signs[0] * signs[1]).sum(axis=(1, 2)), np.sqrt(untied[0] * untied[1]), otherwise=0.0)
        ordered = untied[0] > 0
        np.add.at(total, unit[rows[ordered, 0]], tau[ordered])
        np.add.at(count, unit[rows[ordered, 0]], 1)
    return ratio(weights @ total, weights @ count)


def _present(unit: IntArray, weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """Units and weights without the units that hold none of the models: matrices grow with their square."""
    present, renumbered = np.unique(unit, return_inverse=True)
    return renumbered, weights[:, present]


def _pair_sums(truth: FloatArray, prediction: FloatArray, unit: IntArray, weights: FloatArray) -> PairSums:
    """Sums over pairs of models in every resample; the same to the bit by either way."""
    unit, weights = _present(unit, weights)
    if len(truth) > _MANY:
        return pair_sums(truth, prediction, unit, weights)
    between = _pair_counts(truth, prediction, unit, weights.shape[1])
    return PairSums(*(_resampled_pairs(counts, weights) for counts in between))


def _pair_counts(
    truth: FloatArray, prediction: FloatArray, unit: IntArray, units: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Concordant minus discordant, untied-in-truth and untied-in-prediction pairs between units ``[units, units]``.

    Both orders of a pair are counted, which cancels in τ.
    """
    order = np.argsort(unit, kind="stable")
    truth, prediction, unit = truth[order], prediction[order], unit[order]
    present, starts = np.unique(unit, return_index=True)
    sums = [np.zeros((units, units)) for _ in range(3)]
    for start in range(0, len(unit), _BLOCK):
        block = slice(start, start + _BLOCK)
        signs = [np.sign(values[block, None] - values[None, :]) for values in (truth, prediction)]
        for total, pairs in zip(sums, (signs[0] * signs[1], np.abs(signs[0]), np.abs(signs[1])), strict=True):
            by_column = np.add.reduceat(pairs, starts, axis=1)
            np.add.at(total, (unit[block, None], present[None, :]), by_column)
    return sums[0], sums[1], sums[2]


def _resampled_pairs(between: FloatArray, weights: FloatArray) -> FloatArray:
    """``Σ_{u≠v} w_u w_v N_uv + Σ_u w_u N_uu`` for every resample."""
    within = np.diagonal(between)
    across = between - np.diag(within)
    return np.asarray(((weights @ across) * weights).sum(axis=1) + weights @ within, dtype=np.float64)


def _centred_ranks(values: FloatArray, row_weights: FloatArray) -> FloatArray:
    """Mid-ranks ``[resamples, models]`` of weighted models, less their weighted mean."""
    _, level = np.unique(values, return_inverse=True)
    order = np.argsort(level, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(level[order])), len(level) - 1)
    upto = np.cumsum(row_weights[:, order], axis=1)[:, ends]
    before = np.concatenate([np.zeros((len(row_weights), 1)), upto[:, :-1]], axis=1)
    ranks = (0.5 * (before + upto))[:, level]
    total = (row_weights * ranks).sum(axis=1, keepdims=True)
    return ranks - ratio(total, upto[:, -1:], otherwise=0.0)
