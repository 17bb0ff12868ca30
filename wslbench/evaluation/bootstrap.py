"""The bootstrap over held-out units: one set of resamples a task, shared by every method that is compared on it.

Seeds of a cell are near-copies (.98 of the variance lies between cells), so cells are drawn, not models; where a
protocol holds out whole loads or temperatures, those are drawn. Cells are drawn within their phase, so that a resample
keeps the phases' shares. The resamples depend on the task and its split alone: two methods meet the same ones, and
the interval of their difference is paired. Intervals are conditional on the trained folds: they say how the score
would move with other held-out units, not with other training sets or seeds (seed spread stands apart).

Plain percentiles are too short where units are few: of 12 loads, 95 % intervals held the true score 90 times in 100
in simulation. So the percentiles lie further out, by the two things that a normal law with known variance lacks: the
factor ``√(n / (n − h))`` by which resamples of n units in h strata vary too little, and Student's t with n − h degrees
of freedom (the expanded percentile interval of Hesterberg 2015, *What teachers should know about the bootstrap*, The
American Statistician 69, here with strata). ``tests/evaluation/test_coverage.py`` counts how often such intervals hold
what they should.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from wslbench.tasks import Problem

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESAMPLES = 1000
_DRAWN = 100  # resamples at a time
LEVEL = 0.95
PLAIN_TAIL = (1 - LEVEL) / 2  # of a percentile interval with very many units


class Interval(NamedTuple):
    """A value on the whole task, and the ends of its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Resamples:
    """How often each unit is drawn.

    Attributes
    ----------
    seed
        Of the generator; derived from the task's id and the split's hash.
    units
        The units' names, sorted.
    unit
        Unit index of each model ``[models]``, in the order of ``problem.table``.
    cell
        Cell index of each model ``[models]``.
    weights
        ``[1 + resamples, units]``; row 0 is the task itself, every unit once.
    tail
        Share of the resamples that lie below a 95 % interval, and above it.
    """

    seed: int
    units: tuple[str, ...]
    unit: IntArray
    cell: IntArray
    weights: FloatArray
    tail: float = PLAIN_TAIL

    def cells(self, rows: IntArray) -> FloatArray:
        """Number of cells that the given rows hold in each resample ``[1 + resamples]``."""
        _, first = np.unique(self.cell[rows], return_index=True)
        return self.weights @ np.bincount(self.unit[rows][first], minlength=len(self.units)).astype(np.float64)


def draw_resamples(problem: Problem, count: int = RESAMPLES) -> Resamples:
    """The task's resamples; the same for every method, order of rows and machine."""
    table = problem.table
    units, unit = np.unique(table["unit"].to_numpy(dtype=object).astype(str), return_inverse=True)
    _, cell = np.unique(table["cell_id"].to_numpy(dtype=object).astype(str), return_inverse=True)
    digest = hashlib.sha256(f"{problem.task.id}/{problem.hashes.split}".encode()).digest()
    seed = int.from_bytes(digest[:8], "big")
    generator = np.random.Generator(np.random.PCG64(seed))
    weights = np.ones((1 + count, len(units)))
    strata = _strata(problem, unit, len(units))
    for stratum in strata:
        even = np.full(len(stratum), 1 / len(stratum))
        for first in range(1, 1 + count, _DRAWN):  # the same draws as all at once, which of many cells is a large array
            part = slice(first, min(first + _DRAWN, 1 + count))
            weights[part, stratum] = generator.multinomial(len(stratum), even, size=part.stop - part.start)
    names = tuple(str(name) for name in units)
    return Resamples(seed, names, unit, cell, weights, expanded_tail(len(units), len(strata)))


def expanded_tail(units: int, strata: int = 1) -> float:
    """Share of the resamples to leave out at either end, so that a 95 % interval over few units is wide enough.

    Returns
    -------
    ``Φ(√(n / (n − h)) · t)`` with t the 2.5 % point of Student's t with n − h degrees of freedom, n units in h strata;
    .025 in the limit of many units, 0 (the whole range of the resamples) where no unit varies.
    """
    free = units - strata
    if free < 1:
        return 0.0
    return float(stats.norm.cdf(math.sqrt(units / free) * stats.t.ppf(PLAIN_TAIL, free)))


def interval(draws: FloatArray, tail: float = PLAIN_TAIL) -> Interval:
    """Value and interval of draws ``[1 + resamples]`` whose first is the task itself.

    Resamples in which the metric is undefined are left out; where more than half are, there is no interval.

    Parameters
    ----------
    tail
        Share of the resamples to leave out at either end; :attr:`Resamples.tail` of those that the draws were made on.
    """
    value, resampled = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
    if not np.isfinite(value) or 2 * len(resampled) < len(draws) - 1 or len(resampled) == 0:
        return Interval(value, np.nan, np.nan)
    ends = np.quantile(resampled, [tail, 1 - tail])
    # Where no resample differs, sums in another order must not put the value outside its own interval.
    low, high = np.where(np.isclose(ends, value, rtol=1e-12, atol=1e-14), value, ends)
    return Interval(value, float(low), float(high))


def _strata(problem: Problem, unit: IntArray, units: int) -> list[IntArray]:
    """Units that are drawn for one another: of one phase where the unit is the cell, else all of them.

    Cells without a phase stand for one another.
    """
    if problem.unit != "cell":
        return [np.arange(units)]
    phase_of_unit = np.empty(units, dtype=object)
    phase_of_unit[unit] = problem.table["phase"].fillna("").to_numpy(dtype=object)
    return [np.flatnonzero(phase_of_unit == phase) for phase in sorted(set(phase_of_unit))]
