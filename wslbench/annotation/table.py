"""The table of a zoo with new annotations: what was measured replaces what stood there, and says where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wslbench.annotation.cells import with_cell_columns
from wslbench.zoo import Zoo

DIFFERENT = 1e-3
"""Relative difference from which on a stored number is kept beside the measured one."""

_KEYS = ("cell_id", "seed", "epoch")
_COMPARED = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")


def annotated_table(zoo: Zoo, runs: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A row a checkpoint, and notes on numbers that the zoo had otherwise.

    A column that was measured anew replaces the stored one in the rows of measured checkpoints. Losses and accuracies
    that differ from the stored ones are a warning that the data are not those of the networks: the stored ones are
    kept as ``reported_<name>``.

    Parameters
    ----------
    runs
        A row a run, as :func:`measure_runs` has it, with the Hessian.
    cells
        As :func:`annotate_cells` has them.
    """
    table = zoo.table.reset_index().drop(columns=["shard", "row"])
    fresh = runs[runs["epoch"] == zoo.card.measured_epoch].drop(columns="error").set_index(list(_KEYS))
    places = pd.MultiIndex.from_frame(table[list(_KEYS)])
    measured = table["measured"].to_numpy(dtype=bool)
    notes = []
    for name in fresh.columns:
        new = fresh[name].reindex(places).to_numpy()
        if name not in table:
            table[name] = pd.Series(new, index=table.index).where(measured)
            if fresh[name].dtype == bool:
                table[name] = table[name].eq(True)
            continue
        old = table[name].copy()
        if name in _COMPARED:
            differing = int((~_close(old, new) & measured).sum())
            if differing:
                table[f"reported_{name}"] = old
                notes.append(
                    f"{name} differs from what the zoo says of it in {differing} of {int(measured.sum())} checkpoints "
                    f"(kept as reported_{name}): are data set and labels those that the networks were trained on?"
                )
        table[name] = old.where(~measured, pd.Series(new, index=table.index))
        if old.dtype == bool:
            table[name] = table[name].astype(bool)
    return with_cell_columns(table, cells), notes


def _close(old: pd.Series, new: NDArray[Any]) -> NDArray[np.bool_]:
    first, second = old.to_numpy(dtype=np.float64), np.asarray(new, dtype=np.float64)
    close: NDArray[np.bool_] = np.isclose(first, second, rtol=DIFFERENT, atol=1e-6, equal_nan=True)
    return close
