"""Labels of cells: one of the five phases, or None."""

from __future__ import annotations

import pandas as pd

from wslbench.landscape import PHASES, PhaseCutoffs, assign_phases


def labels_by(cells: pd.DataFrame, cutoffs: PhaseCutoffs | None, known: pd.Series) -> pd.Series:
    """What cut-offs make of the ``known`` cells; None for the others, and for all where there are no cut-offs."""
    if cutoffs is None or not known.any():
        return pd.Series([None] * len(cells), index=cells.index, dtype=object)
    return only_phases(assign_phases(cells[known], cutoffs)["phase"].reindex(cells.index))


def only_phases(labels: pd.Series) -> pd.Series:
    """The labels that are phases; None for whatever else stands there."""
    kept = [label if isinstance(label, str) and label in PHASES else None for label in labels]
    return pd.Series(kept, index=labels.index, dtype=object)
