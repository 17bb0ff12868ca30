"""Which seeds of a cell are compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from wslbench.training import seed_from

Pairs = list[tuple[int, int]]


def seed_pairs(zoo: str, seeds: Sequence[int], disjoint: int | None) -> Pairs:
    """The seed pairs of a cell: all of them, or a fixed draw of disjoint ones.

    Parameters
    ----------
    zoo
        Name that the draw comes from: the same for all cells of the same seeds.
    seeds
        Of the cell, ascending. Fewer than two make no pair.
    disjoint
        So many pairs that share no seed, or as many as there are; None: all pairs.
    """
    if disjoint is None:
        return list(combinations(seeds, 2))
    return _disjoint(seed_from(zoo, "pairs"), seeds, disjoint)


def longer_pairs(zoo: str, seeds: Sequence[int], compared: Pairs, count: int) -> Pairs:
    """Those of the compared pairs, disjoint, whose curves are trained twice as long as well: a fixed draw."""
    if len({seed for pair in compared for seed in pair}) == 2 * len(compared):
        return compared[:count]
    return [(min(pair), max(pair)) for pair in _disjoint(seed_from(zoo, "longer-pairs"), seeds, count)]


def _disjoint(draw: int, seeds: Sequence[int], count: int) -> Pairs:
    order = np.random.default_rng(draw).permutation(len(seeds)).tolist()
    possible = min(count, len(seeds) // 2)
    return [(seeds[order[2 * number]], seeds[order[2 * number + 1]]) for number in range(possible)]
