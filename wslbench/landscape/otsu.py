"""Otsu's cut-off, exactly, and how clearly it separates."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wslbench.errors import LandscapeError

NULL_DRAWS = 2000
NULL_LEVEL = 0.95


class Cutoff(NamedTuple):
    """A cut-off with its evidence.

    Attributes
    ----------
    value
        Midpoint between the two neighbouring values that it parts.
    separability
        Between-class over total variance at the cut-off (Otsu 1979, η), from 0 to 1.
    null_separability
        The .95 quantile of the same number for as many uniform draws. Among unimodal laws the uniform one
        is split best, so that a separability above it speaks for two modes.
    """

    value: float
    separability: float
    null_separability: float

    @property
    def is_transition(self) -> bool:
        """Whether the two sides are further apart than a unimodal law would have them; else a crossover."""
        return self.separability > self.null_separability


def otsu(values: ArrayLike) -> Cutoff:
    """The cut-off that maximises the between-class variance over *all* splits of the sorted values.

    Among equally good splits the lowest is taken. No histogram, hence no bin width to choose.

    Raises
    ------
    LandscapeError
        If fewer than two different finite values are given.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not np.isfinite(ordered).all():
        raise LandscapeError("Otsu's cut-off needs finite values: leave out cells without a measurement")
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        raise LandscapeError("Otsu's cut-off needs at least two different values: give cut-offs with `cutoffs=`")
    value, separability = otsu_sorted(ordered[None])
    return Cutoff(float(value[0]), float(separability[0]), _null_separability(len(ordered)))


def otsu_sorted(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut-offs and separabilities of many samples ``[samples, n]``, each sorted in ascending order.

    A split between equal values is no split; a sample of equal values gets its value and separability 0.
    """
    n = ordered.shape[1]
    below = np.arange(1, n)
    cumulative = np.cumsum(ordered, axis=1)
    mean_below = cumulative[:, :-1] / below
    mean_above = (cumulative[:, -1:] - cumulative[:, :-1]) / (n - below)
    between = below * (n - below) / n**2 * (mean_above - mean_below) ** 2
    between = np.where(ordered[:, 1:] > ordered[:, :-1], between, -1.0)
    # Sums in another order differ in the last digits: splits that close count as equal, the lowest wins.
    best = between.max(axis=1, keepdims=True)
    split = np.argmax(between >= best * (1 - 1e-12), axis=1)
    rows = np.arange(len(ordered))
    total = ordered.var(axis=1)
    separability = np.divide(np.maximum(between[rows, split], 0.0), total, out=np.zeros(len(ordered)), where=total > 0)
    return (ordered[rows, split] + ordered[rows, split + 1]) / 2, separability


@lru_cache(maxsize=64)
def _null_separability(n: int) -> float:
    uniform = np.sort(np.random.default_rng(n).random((NULL_DRAWS, n)), axis=1)
    return float(np.quantile(otsu_sorted(uniform)[1], NULL_LEVEL))
