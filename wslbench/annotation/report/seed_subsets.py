"""Labels from fewer seeds, against the labels from all."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wslbench.annotation.report.record import Record
from wslbench.errors import LandscapeError
from wslbench.landscape import PHASES, assign_phases

if TYPE_CHECKING:
    from wslbench.annotation.report.measurements import Measurements

SIZES = (3, 4)
"""Seeds."""

MOST_SUBSETS = 40
"""Above that, a seeded sample of the subsets is taken."""


class SubsetRow(Record):
    """Agreement of labels from subsets of so many seeds.

    Attributes
    ----------
    seeds
        In a subset. The same ranks of seeds are taken in every cell.
    subsets, possible
        How many were looked at, of how many.
    agreement, lowest, highest
        Share of cells with the label that all seeds give them: mean, least and most over the subsets.
    by_phase
        The mean, by the label from all seeds; None for a phase that does not occur.
    """

    seeds: int
    subsets: int
    possible: int
    agreement: float
    lowest: float
    highest: float
    by_phase: dict[str, float | None]


class SubsetSection(Record):
    """All sizes; ``why_not`` where there is none.

    Attributes
    ----------
    seeds
        That cells have, in this comparison.
    cells, left_out
        How many take part; how many have fewer seeds, or not all pairs.
    refitted
        Whether cut-offs were fitted anew on every subset.
    """

    seeds: int
    cells: int
    left_out: int
    refitted: bool
    rows: list[SubsetRow]
    why_not: str


def subset_section(measured: Measurements) -> SubsetSection:
    """Label every cell from some of its seeds and compare."""
    labelled = measured.labelled
    seeds = int(labelled["runs"].max()) if len(labelled) else 0
    whole = labelled[(labelled["runs"] == seeds) & (labelled["pairs"] == comb(seeds, 2))]
    rows = []
    why_not = ""
    compared = {"mode_connectivity", "cka"} <= set(measured.pairs.columns)
    if measured.cutoffs is None or not len(whole) or not compared:
        why_not = "no cell has labels and all pairs of its seeds"
    elif seeds <= min(SIZES):
        why_not = f"cells have {seeds} seeds: fewer give no label worth comparing"
    else:
        rows = [row for size in SIZES if size < seeds and (row := _row(measured, whole, seeds, size)) is not None]
        why_not = "" if rows else "no subset of seeds allows for cut-offs of its own"
    return SubsetSection(
        seeds=seeds,
        cells=len(whole),
        left_out=len(labelled) - len(whole),
        refitted=measured.refits,
        rows=rows,
        why_not=why_not,
    )


def chosen_subsets(seeds: int, size: int) -> list[tuple[int, ...]]:
    """All subsets of so many of the ranks 0 … seeds − 1, or a seeded sample of :data:`MOST_SUBSETS`."""
    if comb(seeds, size) <= MOST_SUBSETS:
        return list(combinations(range(seeds), size))
    generator = np.random.default_rng([seeds, size])
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < MOST_SUBSETS:
        drawn.add(tuple(sorted(generator.choice(seeds, size, replace=False).tolist())))
    return sorted(drawn)


def subset_cells(measured: Measurements, cells: pd.DataFrame, subset: tuple[int, ...]) -> pd.DataFrame:
    """The order parameters of cells, from the seeds of these ranks alone."""
    runs = measured.runs[measured.runs["cell_id"].isin(cells.index)]
    rank = runs.groupby("cell_id")["seed"].rank().astype(int) - 1
    own = runs[rank.isin(subset)]
    seeds = pd.MultiIndex.from_frame(own[["cell_id", "seed"]])
    pairs = measured.pairs
    inside = np.ones(len(pairs), dtype=bool)
    for end in ("seed_a", "seed_b"):
        inside &= pd.MultiIndex.from_frame(pairs[["cell_id", end]]).isin(seeds)
    found = pairs[inside].groupby("cell_id")[["mode_connectivity", "cka"]].mean().reindex(cells.index)
    found["train_loss"] = own.groupby("cell_id")["train_loss"].mean()
    if "connectivity_tolerance" in cells:
        found["connectivity_tolerance"] = cells["connectivity_tolerance"]
        if measured.noise_factor is not None and len(measured.end_errors):
            spread = measured.end_errors[measured.end_errors.index.isin(seeds)].groupby("cell_id").std(ddof=1)
            found["connectivity_tolerance"] = measured.noise_factor * spread
    return found


def _row(measured: Measurements, cells: pd.DataFrame, seeds: int, size: int) -> SubsetRow | None:
    whole = cells["rule_phase"]
    agrees = []
    for subset in chosen_subsets(seeds, size):
        try:
            labels = assign_phases(
                subset_cells(measured, cells, subset), None if measured.refits else measured.cutoffs
            )["phase"]
        except LandscapeError:
            continue
        agrees.append(labels == whole)
    if not agrees:
        return None
    table = pd.concat(agrees, axis=1)  # [cells, subsets]
    shares = table.mean(axis=0)
    by_phase = {phase: table[(whole == phase).to_numpy()] for phase in PHASES}
    return SubsetRow(
        seeds=size,
        subsets=table.shape[1],
        possible=comb(seeds, size),
        agreement=float(shares.mean()),
        lowest=float(shares.min()),
        highest=float(shares.max()),
        by_phase={phase: float(part.to_numpy().mean()) if len(part) else None for phase, part in by_phase.items()},
    )
