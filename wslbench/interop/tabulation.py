"""From a listing to the table of a zoo: cells, seeds and epochs, checked."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from wslbench.errors import ZooFormatError
from wslbench.foreign_text import has_control_characters
from wslbench.interop.listing import Listing
from wslbench.zoo.identity import run_id
from wslbench.zoo.schema import is_name
from wslbench.zoo.splits import unit_name
from wslbench.zoo.tables import MODEL_COLUMNS

_UNITS = ("run", "cell", "phase")  # what a split can hold out besides a column


def tabulate(listing: Listing, load: str, temperature: str) -> pd.DataFrame:
    """A row a checkpoint with everything that tasks read, but for its architecture.

    Cells follow from the axes and from what else varies between runs that are not seeds of one another; seeds are
    counted where none are given.

    Raises
    ------
    ZooFormatError
        If a column is missing, or holds what it cannot.
    """
    listed = _plain(listing.table)
    computed = set(MODEL_COLUMNS) - {"seed", "epoch"}
    clash = sorted(computed & set(listed.columns))
    if clash:
        raise ZooFormatError(f"the metadata's column {clash[0]!r} is one that the zoo format computes: rename it")
    for column in (load, temperature):
        if column in _UNITS:
            raise ZooFormatError(
                f"the metadata's column {column!r} has a name that splits use for themselves: rename it"
            )
        if column not in listed.columns:
            raise ZooFormatError(f"the metadata has no column {column!r}; it has {', '.join(listed.columns)}")
        if not pd.api.types.is_numeric_dtype(listed[column]) or not np.isfinite(listed[column]).all():
            raise ZooFormatError(f"the metadata's column {column!r} is an axis of the grid, so it holds numbers alone")
    table = listed.assign(cell_id=_cells(listing, load, temperature))
    if "epoch" not in table.columns:
        table["epoch"] = 0
    if "seed" not in table.columns:
        table["seed"] = table.groupby(["cell_id", "epoch"]).cumcount()
    for column in ("seed", "epoch"):
        if not pd.api.types.is_integer_dtype(table[column]) or (table[column] < 0).any():
            raise ZooFormatError(f"the metadata's column {column!r} must hold integers from 0 on")
    twice = table[table.duplicated(["cell_id", "seed", "epoch"])]
    if len(twice):
        raise ZooFormatError(
            f"{twice.iloc[0]['file']} and another file are of the same cell, seed and epoch: is a seed column wrong?"
        )
    runs = [run_id(cell, seed) for cell, seed in zip(table["cell_id"], table["seed"], strict=True)]
    epoch = listing.measured_epoch if listing.measured_epoch is not None else table["epoch"].max()
    # What tasks read of every zoo: no phase, so no certainty of one; foreign runs count as finished unless told.
    measured = table["epoch"] == epoch
    unlogged = _unlogged(table[measured], listing.logged).reindex(table.index, fill_value=False)
    return table.assign(
        run_id=runs,
        measured=measured,
        phase=None,
        phase_probability=np.nan,
        unfinished=_unfinished(table) | unlogged,
    )


def _unfinished(table: pd.DataFrame) -> pd.Series[bool]:
    if "unfinished" not in table.columns:
        return pd.Series(False, table.index)
    told = table["unfinished"]
    return told.eq("True") if told.dtype.kind == "O" else told.astype(bool)  # text: a column with gaps


def _unlogged(measured: pd.DataFrame, logged: Iterable[str]) -> pd.Series[bool]:
    """Which measured checkpoints lack a number that others have: one such row would keep a task from all of them."""
    lacking = pd.Series(False, measured.index)
    for column in logged:
        if column in measured.columns and pd.api.types.is_numeric_dtype(measured[column]):
            finite = np.isfinite(measured[column])
            lacking |= finite.any() & ~finite
    return lacking


def _plain(listed: pd.DataFrame) -> pd.DataFrame:
    """The listing with what a zoo's table can hold: columns that mix text with numbers or gaps with truth are text.

    Raises
    ------
    ZooFormatError
        If a terminal would obey a text. The zoo could not be read back, and no weight has been read yet.
    """
    columns = {}
    for name in listed.columns:
        values = listed[name]
        if not pd.api.types.is_numeric_dtype(values.dtype):
            values = values.map(str, na_action="ignore")
        for text in (name, *(values.dropna().unique() if values.dtype.kind == "O" else ())):
            if has_control_characters(str(text)):
                raise ZooFormatError(f"the metadata's column {name!r} holds control characters: {text!r}")
        columns[name] = values
    return pd.DataFrame(columns)


def _cells(listing: Listing, load: str, temperature: str) -> list[str]:
    named = {"load": load, "temperature": temperature}
    named |= {column: column for column in listing.varied if column not in named.values()}
    columns = [listing.table[column] for column in named.values()]
    cells = [
        "_".join(f"{name}={unit_name(value)}" for name, value in zip(named, values, strict=True))
        for values in zip(*columns, strict=True)
    ]
    for cell_id in dict.fromkeys(cells):
        if not is_name(cell_id):
            raise ZooFormatError(
                f"{cell_id!r} cannot name a cell (letters, digits and . _ + = - only, at most 128): "
                f"change the values of {', '.join(named.values())}"
            )
    return cells
