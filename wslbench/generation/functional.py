"""How far networks are from each other as functions: on how many held-out samples their predicted classes differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def disagreement(one: IntArray, other: IntArray) -> FloatArray:
    """Share of the samples on which the predicted classes of two networks differ, of every pair.

    Parameters
    ----------
    one, other
        ``[n, samples]`` and ``[m, samples]`` predicted classes.

    Returns
    -------
    ``[n, m]`` in [0, 1].

    Raises
    ------
    ValueError
        If the samples are not as many.
    """
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"predictions of {one.shape[1]} samples do not compare with those of {other.shape[1]}")
    agreed = np.zeros((len(one), len(other)), np.float32)
    for shown in np.intersect1d(one, other):
        agreed += (one == shown).astype(np.float32) @ (other == shown).astype(np.float32).T
    shares: FloatArray = 1 - agreed.astype(np.float64) / max(1, one.shape[1])
    return shares


def error_overlap(one: IntArray, other: IntArray, labels: IntArray) -> FloatArray:
    """Samples that both networks of a pair get wrong, over those that either does (Jaccard), pair by pair.

    Parameters
    ----------
    one, other
        ``[n, samples]`` predicted classes: row with row.
    labels
        ``[samples]`` true classes.

    Returns
    -------
    ``[n]`` in [0, 1]; 1 where neither errs.
    """
    wrong, also = one != labels, other != labels
    either = (wrong | also).sum(axis=1)
    both = (wrong & also).sum(axis=1)
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


class Originality(NamedTuple):
    """How far the networks of a draw are from what there was before, in units of what independent seeds are apart.

    Attributes
    ----------
    novelty
        ``[n]``: disagreement with the nearest train network over that of held-out seeds: 0 for a copy in any disguise,
        1 for a fresh seed on average.
    diversity
        ``[n]``: disagreement with the nearest other network of the draw, over the same of as many held-out seeds.
    nearest
        ``[n]``: which train network is the nearest.
    """

    novelty: FloatArray
    diversity: FloatArray
    nearest: IntArray

    @property
    def distinct(self) -> FloatArray:
        """``[n]``: novelty, but no more than diversity: one network many times is no more than one."""
        return np.minimum(self.novelty, self.diversity)


def originality(drawn: IntArray, train: IntArray, held_out: IntArray) -> Originality:
    """Novelty and diversity of a draw.

    Parameters
    ----------
    drawn, train, held_out
        ``[·, samples]`` predicted classes of the draw, of the train networks, and of held-out real ones.

    Raises
    ------
    ValueError
        If there are no train networks, or fewer than two held-out ones, or if these do not differ among themselves
        or from the train networks: there is nothing then to measure novelty by.
    """
    if not len(train) or len(held_out) < 2:
        raise ValueError("novelty is measured by train networks and at least two held-out ones")
    from_train = disagreement(drawn, train)
    fresh = disagreement(held_out, train).min(axis=1).mean()
    apart = _nearest_other(disagreement(held_out, held_out), len(drawn)).mean()
    if fresh == 0 or apart == 0:
        raise ValueError("held-out networks compute what train networks compute: novelty has no unit")
    among = _nearest_other(disagreement(drawn, drawn), len(drawn)) if len(drawn) > 1 else np.full(len(drawn), apart)
    return Originality(from_train.min(axis=1) / fresh, among / apart, from_train.argmin(axis=1))


def _nearest_other(distances: FloatArray, size: int) -> FloatArray:
    """``[n]``: each network's expected distance to the nearest of ``size − 1`` others out of its row, without itself.

    The more others there are, the nearer the nearest is. Where a row has more than ``size − 1``, the mean over all
    choices of that many is taken: the k-th nearest of m others is the nearest of a choice of s with probability
    ``C(m − k, s − 1) / C(m, s)``.
    """
    others = np.sort(distances + np.diag(np.full(len(distances), np.inf)), axis=1)[:, :-1]
    count = others.shape[1]
    chosen = min(max(size - 1, 1), count)
    weights = np.zeros(count)
    weights[0] = chosen / count
    for rank in range(1, count - chosen + 1):
        weights[rank] = weights[rank - 1] * (count - rank - chosen + 1) / (count - rank)
    return np.asarray(others @ weights)
