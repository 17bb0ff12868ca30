"""Weighted sums over pairs of models for many resamples at once, without going through all pairs of models.

Kendall's τ needs, of each resample, how many pairs are ordered alike by truth and prediction, and how many are tied in
neither. The latter follow from sums over tied groups, as Knight (1966, *A computer method for calculating Kendall's tau
with ungrouped data*, JASA 61) has it; what is left is to weigh the pairs that truth and prediction order differently,
and these are the inversions of a permutation. Models are tiled by their places in both orders: pairs of different tiles
are weighed by the sums of tiles, the others directly. Up to some 100,000 models that is linear in them, and it takes
little memory. All sums are of whole numbers below 2⁵³, hence exact: the same to the bit, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_TILE = 128  # models in a row of tiles, and in a column
_BLOCK_VALUES = 2**20  # weights at a time


class PairSums(NamedTuple):
    """Sums over pairs of models, in both orders.

    Attributes
    ----------
    agreement
        Pairs that truth and prediction order alike, less those that they order differently.
    truth, prediction
        Pairs that are not tied in truth, and in prediction.
    """

    agreement: FloatArray
    truth: FloatArray
    prediction: FloatArray


def pair_sums(truth: FloatArray, prediction: FloatArray, unit: IntArray, weights: FloatArray) -> PairSums:
    """Sums ``[resamples]``: two models of different units count the product of their weights, of one unit its weight.

    Parameters
    ----------
    weights
        ``[resamples, units]``, whole numbers.
    """
    own = _own_sums(truth, prediction, unit, weights.shape[1])
    across = _weighted_sums(truth, prediction, unit, weights)
    for part in _parts(*weights.shape):
        # The product counts a unit's own pairs by the square of its weight.
        correction = weights[part] - weights[part] ** 2
        for total, mine in zip(across, own, strict=True):
            total[part] += correction @ mine
    return across


def _combined(
    every: FloatArray, truth: FloatArray, prediction: FloatArray, both: FloatArray, discordant: FloatArray
) -> PairSums:
    """From all pairs and those tied in one or both, a model with itself among them, and discordant ones once each."""
    return PairSums(every - truth - prediction + both - 4 * discordant, every - truth, every - prediction)


def _weighted_sums(truth: FloatArray, prediction: FloatArray, unit: IntArray, weights: FloatArray) -> PairSums:
    """All pairs by the product of their weights ``[resamples]``."""
    order = np.lexsort((prediction, truth))  # pairs that are tied in truth are in order then
    truth, prediction, unit = truth[order], prediction[order], unit[order]
    levels = _levels(truth), _levels(prediction)
    groups = (*levels, _levels(levels[0] * len(order) + levels[1]))
    every = (weights @ np.bincount(unit, minlength=weights.shape[1])) ** 2
    truth_tied, prediction_tied, both_tied = (_squares(group, unit, weights) for group in groups)
    return _combined(every, truth_tied, prediction_tied, both_tied, _inversions(levels[1], unit, weights))


def _inversions(values: IntArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Weight ``[resamples]`` of the pairs of models of which the earlier one has the larger value."""
    count = len(values)
    place = np.arange(count)
    by_value = np.argsort(values, kind="stable")  # of equal ones the earlier first, so that they are no inversion
    rank = np.empty(count, np.int64)
    rank[by_value] = place
    rows, columns = place // _TILE, rank // _TILE
    total = _between_tiles(rows, columns, unit, weights)
    for first in range(0, count, _TILE):
        here = place[first : first + _TILE]
        total += _weight_of(np.triu(rank[here, None] > rank[here], 1), unit[here], weights)
        there = by_value[first : first + _TILE]
        total += _weight_of(np.tril(rows[there, None] < rows[there]), unit[there], weights)
    return total


def _weight_of(pairs: npt.NDArray[np.bool_], unit: IntArray, weights: FloatArray) -> FloatArray:
    """Weight ``[resamples]`` of those pairs ``[models, models]`` that are set."""
    of_models = weights[:, unit]
    total: FloatArray = np.einsum("ij,ij->i", of_models @ pairs.astype(np.float64), of_models)
    return total


def _between_tiles(rows: IntArray, columns: IntArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Weight ``[resamples]`` of the pairs of which the one of the earlier row stands in the later column."""
    across = int(rows.max(initial=0)) + 1
    tile = rows * across + columns
    order = np.argsort(tile, kind="stable")
    firsts = np.flatnonzero(np.diff(tile[order], prepend=-1))
    total = np.zeros(len(weights))
    for part in _parts(len(weights), max(len(order), across**2)):
        found = np.add.reduceat(weights[part][:, unit[order]], firsts, axis=1)
        flat = np.zeros((len(found), across**2))
        flat[:, tile[order[firsts]]] = found
        sums = flat.reshape(-1, across, across)
        above = np.zeros_like(sums[:, 0])  # of earlier rows, by column
        for row in range(across):
            later = np.cumsum(above[:, ::-1], axis=1)[:, ::-1]  # in this column and those to its right
            total[part] += np.einsum("ij,ij->i", sums[:, row, :-1], later[:, 1:])
            above += sums[:, row]
    return total


def _parts(resamples: int, values: int) -> Iterator[slice]:
    """Resamples that are taken together, where one needs so many values."""
    step = max(1, _BLOCK_VALUES // max(1, values))
    return (slice(first, first + step) for first in range(0, resamples, step))


def _own_sums(truth: FloatArray, prediction: FloatArray, unit: IntArray, units: int) -> PairSums:
    """Each unit's own pairs, every one counting 1 ``[units]``."""
    order = np.lexsort((prediction, truth, unit))
    unit = unit[order]
    levels = _levels(truth[order]), _levels(prediction[order])
    groups = (unit * len(order) + levels[0], unit * len(order) + levels[1])
    sums = np.zeros((5, units))
    sums[0] = np.bincount(unit, minlength=units) ** 2
    for row, group in enumerate((*groups, _levels(groups[0]) * len(order) + levels[1]), start=1):
        _, first, count = np.unique(group, return_index=True, return_counts=True)
        sums[row] = np.bincount(unit[first], weights=count**2, minlength=units)
    starts = np.searchsorted(unit, unit)
    for merge in _merges(levels[1], starts):
        before = np.cumsum(merge.left)
        larger = before - np.append(0, before)[merge.block]
        sums[4] += np.bincount(unit[merge.order], weights=np.where(merge.left, 0, larger), minlength=units)
    return _combined(*sums)


class _Merge(NamedTuple):
    """One level of merging neighbouring runs in pairs, all pairs at once.

    Attributes
    ----------
    order
        The models: pair of runs after pair, each by falling value, and of equal ones those of the right run first.
    left
        Which of these are of a left run.
    block
        Where in ``order`` the pair of runs of each begins.
    """

    order: IntArray
    left: npt.NDArray[np.bool_]
    block: IntArray


def _merges(values: IntArray, starts: IntArray) -> list[_Merge]:
    """All levels, from runs of one to whole segments; ``starts`` says where the segment of each model begins."""
    place = np.arange(len(values)) - starts
    merges = []
    for level in range(int(place.max(initial=0)).bit_length()):
        left = place >> level & 1 == 0
        block = starts + (place >> level + 1 << level + 1)
        order = np.lexsort((left, -values, block))
        merges.append(_Merge(order, left[order], block[order]))
    return merges


def _squares(group: IntArray, unit: IntArray, weights: FloatArray) -> FloatArray:
    """Sum over groups of models of the group's squared weight ``[resamples]``."""
    order = np.argsort(group, kind="stable")
    firsts = np.flatnonzero(np.diff(group[order], prepend=-1))
    if len(firsts) == len(order):
        counts = np.bincount(unit, minlength=weights.shape[1]).astype(np.float64)
        squares: FloatArray = np.einsum("ij,ij,j->i", weights, weights, counts)
        return squares
    total = np.zeros(len(weights))
    for part in _parts(len(weights), len(order)):
        sums = np.add.reduceat(weights[part][:, unit[order]], firsts, axis=1)
        total[part] = np.einsum("ij,ij->i", sums, sums)
    return total


def _levels(values: npt.NDArray[np.generic]) -> IntArray:
    """Ranks without gaps; equal values share one."""
    return np.asarray(np.unique(values, return_inverse=True)[1], np.int64)
