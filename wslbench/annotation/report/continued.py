"""Labels of the same runs, trained longer: what makes a cell unfinished."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wslbench.annotation.report.labels import labels_by
from wslbench.annotation.report.pair_values import end_errors
from wslbench.landscape import PhaseCutoffs


def continued_labels(
    cells: pd.DataFrame,
    runs: pd.DataFrame,
    later_pairs: pd.DataFrame,
    cutoffs: PhaseCutoffs | None,
    noise_factor: float | None,
) -> pd.Series:
    """What the same cut-offs make of each labelled cell at the continued epoch; None where that was not measured.

    Parameters
    ----------
    cells
        Indexed by cell_id, with ``labelled``.
    runs
        With ``continued_train_loss``, if the zoo has it.
    later_pairs
        Rows of seed pairs after the measured epoch; the last of their epochs counts.
    noise_factor
        Of the tolerance of connectivity, which is that of the errors at the continued epoch.
    """
    complete = {"mode_connectivity", "cka"} <= set(later_pairs.columns) and "continued_train_loss" in runs
    if cutoffs is None or not complete or later_pairs.empty:
        return labels_by(cells, None, cells["labelled"])
    pairs = later_pairs[later_pairs["epoch"] == later_pairs["epoch"].max()]
    later = pairs.groupby("cell_id")[["mode_connectivity", "cka"]].mean().reindex(cells.index)
    later["train_loss"] = runs.groupby("cell_id")["continued_train_loss"].mean()
    if noise_factor is not None:
        spread = end_errors(pairs).groupby("cell_id").std(ddof=1)
        later["connectivity_tolerance"] = noise_factor * spread.reindex(cells.index)
    return labels_by(later, cutoffs, cells["labelled"] & np.isfinite(later["train_loss"]) & (later["train_loss"] > 0))
