"""Who stands where on a task: ranks in groups of ties, and the smallest difference that the task can resolve.

Two methods are told apart only where the paired 95 % interval of their difference excludes 0. Going down the list, a
method joins the group of the one that leads it unless it is told apart from that leader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from statistics import median

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.bootstrap import Interval, interval
from wslbench.evaluation.floors import FLOORS
from wslbench.leaderboard.results import Entry
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standings:
    """Ranks by method (floors, oracles and failures have none), and the smallest difference to be told apart.

    Attributes
    ----------
    resolvable
        Median half-width of the paired intervals over all pairs of results; None with fewer than two.
    leads
        Of every two results that did not fail, both ways round: by how much the first is better than the second in the
        headline, paired over the same resamples.
    """

    ranks: dict[str, int]
    resolvable: float | None
    leads: dict[tuple[str, str], Interval] = field(default_factory=dict)


def standings(entries: Sequence[Entry]) -> Standings:
    """Rank the entries of one task by its headline."""
    if not entries:
        return Standings({}, None)
    headline = entries[0].record.task.headline
    sign = 1 if METRICS[headline].higher_is_better else -1
    draws = {entry.record.method.name: sign * entry.scores.draws(headline) for entry in entries}
    contenders = [entry.record.method.name for entry in entries if _is_ranked(entry)]
    finished = [entry.record.method.name for entry in entries if entry.record.status == "ok"]
    leads = {(one, other): interval(draws[one] - draws[other]) for one, other in permutations(finished, 2)}
    return Standings(_ranks({name: draws[name] for name in contenders}), _resolvable(list(draws.values())), leads)


def _is_ranked(entry: Entry) -> bool:
    record = entry.record
    return record.status == "ok" and record.method.name not in FLOORS and record.method.privilege != "hyperparameters"


def _ranks(draws: dict[str, FloatArray]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    leader = ""
    for position, name in enumerate(sorted(draws, key=lambda name: (-_value(draws[name]), name)), start=1):
        if not leader or interval(draws[leader] - draws[name]).low > 0:
            leader, ranks[name] = name, position
        else:
            ranks[name] = ranks[leader]
    return ranks


def _value(draws: FloatArray) -> float:
    return float(draws[0]) if np.isfinite(draws[0]) else -math.inf


def _resolvable(draws: Sequence[FloatArray]) -> float | None:
    widths = [interval(one - other) for one, other in combinations(draws, 2)]
    halves = [(ends.high - ends.low) / 2 for ends in widths if math.isfinite(ends.high - ends.low)]
    return median(halves) if halves else None
