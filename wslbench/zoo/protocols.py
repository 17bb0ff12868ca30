"""The protocols: rules that turn a zoo's cells into a split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wslbench.errors import SplitError
from wslbench.zoo.splits import Split, unit_name

NEW_PHASE = "new-phase"
NEW_ZOO = "new-zoo"  # no split of one zoo: all of one is train, all of another is test
WITHIN_CELL_SEEDS = "within-cell-seeds"  # for generators alone: seeds of a cell are near-copies as far as targets go
MANY_SEEDS = 32  # a cell's, from which on some can be held out and the others still say what the cell is like
PROTOCOLS = ("phase-stratified", "new-load", "new-temperature", NEW_PHASE)
DEFAULT_PROTOCOL = "phase-stratified"


def make_split(
    cells: pd.DataFrame,
    runs: pd.DataFrame,
    protocol: str,
    seed: int,
    *,
    load: str,
    temperature: str,
    folds: int = 5,
    blocks: int = 4,
) -> Split:
    """Make the split of a protocol; deterministic in its arguments, whatever the order of rows.

    Parameters
    ----------
    cells
        The cells to be split (the caller leaves out unfinished ones): ``cell_id``, ``phase``, and the two axes.
    runs
        ``run_id`` and ``cell_id``; repeated rows count once, runs of other cells are left out.
    protocol
        ``phase-stratified``: whole cells dealt to ``folds`` folds, phase by phase. ``new-load``,
        ``new-temperature``: the axis' sorted values cut into ``blocks`` contiguous blocks (fewer if there are
        fewer values). ``new-phase``: a fold a phase, in the phases' order, however few cells it has; cells
        without a phase are left out. It says nothing about a phase as a target: no fold trains on the phase that
        it tests.
    seed
        Seeds the deal of ``phase-stratified``; the others draw nothing.
    load, temperature
        The columns of the axes.

    Raises
    ------
    SplitError
        If the protocol is unknown, a cell has no phase to be stratified by, or there is too little to split: no cell,
        one block, one phase, or a cell of fewer seeds than :data:`MANY_SEEDS` to be torn apart.
    """
    cells = cells.drop_duplicates("cell_id").set_index("cell_id").sort_index()
    if protocol == NEW_PHASE:
        cells = cells[cells["phase"].notna()]
    if cells.empty:
        raise SplitError(f"there is no cell to make the split {protocol!r} of")
    if protocol == WITHIN_CELL_SEEDS:
        return _within_cells(runs[runs["cell_id"].isin(cells.index)], blocks, seed)
    if protocol == "phase-stratified":
        fold_of, unit = _deal(cells["phase"], folds, seed), "cell"
        unit_of = pd.Series(cells.index, index=cells.index)
    elif protocol == NEW_PHASE:
        fold_of, unit = cells["phase"].map(_numbers(cells["phase"])), "phase"
        unit_of = cells["phase"]
    elif protocol in PROTOCOLS:
        unit = load if protocol == "new-load" else temperature
        fold_of, unit_of = _blocks(cells[unit], blocks), cells[unit].map(unit_name)
    else:
        raise SplitError(f"unknown protocol {protocol!r}: there are {', '.join((*PROTOCOLS, WITHIN_CELL_SEEDS))}")
    table = runs[["run_id", "cell_id"]].drop_duplicates()
    table = table[table["cell_id"].isin(cells.index)]
    table = table.assign(unit=table["cell_id"].map(unit_of), fold=table["cell_id"].map(fold_of))
    return Split(protocol, unit, table)


def _within_cells(runs: pd.DataFrame, folds: int, seed: int) -> Split:
    """Every cell's runs shuffled and dealt, so that each fold holds as many of each cell as of any other."""
    table = runs[["run_id", "cell_id"]].drop_duplicates().sort_values(["cell_id", "run_id"], ignore_index=True)
    seeds = table["cell_id"].value_counts()
    if seeds.min() < MANY_SEEDS:
        raise SplitError(
            f"cell {seeds.idxmin()!r} has {seeds.min()} seeds: {WITHIN_CELL_SEEDS!r} takes {MANY_SEEDS} or more"
        )
    generator = np.random.default_rng(seed)
    dealt = np.concatenate([generator.permutation(count) % folds for count in seeds.sort_index()])
    return Split(WITHIN_CELL_SEEDS, "run", table.assign(unit=table["run_id"], fold=dealt))


def _deal(phases: pd.Series, folds: int, seed: int) -> pd.Series:
    """Deal shuffled cells like cards, one phase after the other, without going back to the first fold between.

    Each phase is then spread as evenly as its count allows, and the folds differ by one cell at most.
    """
    if phases.isna().any():
        raise SplitError(f"cell {phases.index[phases.isna()][0]!r} has no phase, so it cannot be stratified by phase")
    generator = np.random.default_rng(seed)
    dealt = [
        cell
        for phase in sorted(phases.unique())
        for cell in generator.permutation(phases.index[phases == phase].to_numpy(dtype=object))
    ]
    return pd.Series(np.arange(len(dealt)) % folds, index=dealt)


def _numbers(phases: pd.Series) -> dict[str, int]:
    return {phase: number for number, phase in enumerate(sorted(phases.unique()))}


def _blocks(values: pd.Series, blocks: int) -> pd.Series:
    distinct = np.sort(values.unique())
    parts = np.array_split(distinct, min(blocks, len(distinct)))
    fold_of = {value: fold for fold, part in enumerate(parts) for value in part}
    return values.map(fold_of)
