"""Who stands where on a task: ranks in groups of ties, and the smallest difference that the task can resolve.

Two methods are told apart only where the paired 95 % interval of their difference excludes 0. Going down the list, a
method joins the group of the one that leads it unless it is told apart from that leader.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import PLAIN_TAIL, Interval, interval
from wslbench.evaluation.floors import FLOORS
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.intervals import intervals
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]

_AHEAD: Final = 4
MOST_PAIRS: Final = 400  # whose intervals say what a task can resolve


@dataclass(frozen=True)
class Standings:
    """Ranks by method (floors, oracles and failures have none), and the smallest difference to be told apart.

    Attributes
    ----------
    ranks
        Ranked methods, the best first; methods of one rank cannot be told apart from the first of them.
    resolvable
        Median half-width of the paired intervals over pairs of results; None with fewer than two.
    draws
        Of every result that did not fail: the headline on the task and its resamples ``[1 + resamples]``, larger is
        better.
    tail
        Share of the resamples beyond either end of an interval.
    """

    ranks: Mapping[str, int]
    resolvable: float | None
    draws: Mapping[str, FloatArray] = field(default_factory=dict, repr=False)
    tail: float = PLAIN_TAIL

    def lead(self, one: str, other: str) -> Interval | None:
        """By how much one method is better than another, paired on the same resamples; None where either is missing."""
        if one == other or one not in self.draws or other not in self.draws:
            return None
        return interval(self.draws[one] - self.draws[other], self.tail)

    def leads(self, one: str, others: Sequence[str]) -> FloatArray:
        """The same over many, ``[others, 3]``: value, low, high; NaN where either is missing."""
        found = np.full((len(others), 3), np.nan)
        present = [place for place, other in enumerate(others) if other != one and other in self.draws]
        if one in self.draws and present:
            rivals = np.stack([self.draws[others[place]] for place in present])
            found[present] = intervals(self.draws[one] - rivals, self.tail)
        return found


def standings(entries: Sequence[Entry]) -> Standings:
    """Rank the entries of one task by its headline."""
    if not entries:
        return Standings({}, None)
    sign = 1 if METRICS[entries[0].record.task.headline].higher_is_better else -1
    tail = entries[0].tail
    draws = {entry.record.method.name: sign * entry.draws for entry in entries}
    finished = {name: draws[name] for entry in entries if entry.record.status == "ok" for name in [_name(entry)]}
    ranked = {_name(entry): draws[_name(entry)] for entry in entries if is_ranked(entry)}
    return Standings(_ranks(ranked, tail), _resolvable(list(draws.values()), tail), finished, tail)


def is_ranked(entry: Entry) -> bool:
    """Whether a result takes part: it did not fail, and is neither a floor nor told what it should find out."""
    record = entry.record
    return record.status == "ok" and record.method.name not in FLOORS and record.method.privilege != "hyperparameters"


def _name(entry: Entry) -> str:
    return entry.record.method.name


def _ranks(draws: Mapping[str, FloatArray], tail: float) -> dict[str, int]:
    names = sorted(draws, key=lambda name: (-_value(draws[name]), name))
    ranks: dict[str, int] = {}
    leader, ahead = 0, _AHEAD
    while leader < len(names):
        ranks[names[leader]] = leader + 1
        follower = leader + 1
        while follower < len(names):  # many at once, and the more of them the longer the group is
            some = names[follower : follower + ahead]
            lows = intervals(draws[names[leader]] - np.stack([draws[name] for name in some]), tail)[:, 1]
            behind = np.flatnonzero(lows > 0)
            tied = some[: behind[0]] if len(behind) else some
            ranks |= dict.fromkeys(tied, leader + 1)
            follower += len(tied)
            if len(behind):
                break
            ahead *= 2
        leader, ahead = follower, _AHEAD
    return ranks


def _value(draws: FloatArray) -> float:
    return float(draws[0]) if np.isfinite(draws[0]) else -math.inf


def _resolvable(draws: Sequence[FloatArray], tail: float) -> float | None:
    pairs = list(combinations(range(len(draws)), 2))
    chosen = pairs[:: -(-len(pairs) // MOST_PAIRS)] if pairs else []
    if not chosen:
        return None
    found = intervals(np.stack([draws[one] - draws[other] for one, other in chosen]), tail)
    halves = (found[:, 2] - found[:, 1]) / 2
    return median(halves[np.isfinite(halves)].tolist()) if np.isfinite(halves).any() else None
