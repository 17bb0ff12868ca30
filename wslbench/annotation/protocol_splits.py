"""The splits of an annotated zoo: every protocol that its cells allow for."""

from __future__ import annotations

import pandas as pd

from wslbench.errors import SplitError
from wslbench.training import seed_from
from wslbench.zoo import Split, make_split
from wslbench.zoo.identity import run_id
from wslbench.zoo.protocols import MANY_SEEDS, PROTOCOLS, WITHIN_CELL_SEEDS


def protocol_splits(
    zoo: str, cells: pd.DataFrame, table: pd.DataFrame, load: str, temperature: str
) -> tuple[list[Split], list[str]]:
    """The protocols over the cells that are finished and have a phase, and why one could not be made.

    Where no cell has a phase, the protocols that need none are made over all finished cells.

    Parameters
    ----------
    zoo
        Name that the deals are drawn from.
    cells
        Indexed by cell_id, with ``phase``, ``unfinished`` and both axes.
    table
        A row a checkpoint: ``cell_id`` and ``seed``, and ``run_id`` where the zoo has given ids already.
    load, temperature
        Columns of the axes.
    """
    usable = cells[~cells["unfinished"]].reset_index()
    if usable["phase"].notna().any():
        usable = usable[usable["phase"].notna()]
    ids = table["run_id"] if "run_id" in table else _run_ids(table)
    runs = pd.DataFrame({"run_id": ids, "cell_id": table["cell_id"]})
    splits, refused = [], []
    seeds = runs[runs["cell_id"].isin(usable["cell_id"])].drop_duplicates("run_id")["cell_id"].value_counts()
    many = len(seeds) > 0 and seeds.min() >= MANY_SEEDS
    for protocol in (*PROTOCOLS, WITHIN_CELL_SEEDS) if many else PROTOCOLS:
        seed = seed_from(zoo, "split", protocol)
        try:
            splits.append(make_split(usable, runs, protocol, seed, load=load, temperature=temperature))
        except SplitError as error:
            refused.append(f"no split {protocol}: {error}")
    return splits, refused


def _run_ids(table: pd.DataFrame) -> list[str]:
    return [run_id(cell, seed) for cell, seed in zip(table["cell_id"], table["seed"], strict=True)]
