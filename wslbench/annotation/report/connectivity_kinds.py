"""The same pairs, measured in another way: a longer curve, a straight line (aligned or not), errors on test data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wslbench.annotation.report.pair_values import TEST_CONNECTIVITY
from wslbench.annotation.report.record import Confusion, Counts, Record, confusion_of, count_phases
from wslbench.landscape import assign_phases

if TYPE_CHECKING:
    from wslbench.annotation.report.measurements import Measurements

KINDS = {
    "longer": "longer_mode_connectivity",
    "linear": "linear_connectivity",
    "aligned": "aligned_linear_connectivity",
    "test": TEST_CONNECTIVITY,
}
"""Column of the pairs, by kind."""


class KindPoint(Record):
    """One cell: mean connectivity of the compared pairs, percentage points, and what it makes of the label."""

    cell_id: str
    usual: float
    other: float
    label: str
    other_label: str


class KindSection(Record):
    """Labels from another kind of connectivity, cut-offs frozen.

    Attributes
    ----------
    cells, pairs
        Compared.
    usual, other
        Cells a phase from the same pairs, measured as the zoo does and in the other way.
    changed
        Cells whose labels differ between the two.
    confusion
        From the usual label (outer) to the other (inner).
    median_difference, largest_difference
        Of the other from the usual connectivity of a cell, percentage points: median of the difference, and the
        difference of largest modulus.
    points
        A cell each.
    """

    cells: int
    pairs: int
    usual: Counts
    other: Counts
    changed: int
    confusion: Confusion
    median_difference: float
    largest_difference: float
    points: list[KindPoint]


def kind_section(measured: Measurements, kind: str) -> KindSection | None:
    """Compare a kind of connectivity with the zoo's own; None where the zoo lacks it, or has no cut-offs."""
    column, pairs, cells = KINDS[kind], measured.pairs, measured.labelled
    if measured.cutoffs is None or not {column, "mode_connectivity"} <= set(pairs.columns):
        return None
    both = np.isfinite(pairs[["mode_connectivity", column]].to_numpy(dtype=np.float64)).all(axis=1)
    known = pairs[both & pairs["cell_id"].isin(cells.index)]
    if known.empty:
        return None
    means = known.groupby("cell_id")[["mode_connectivity", column]].mean()
    cells = cells.loc[[cell for cell in cells.index if cell in means.index]]
    usual, other = (
        assign_phases(cells.assign(mode_connectivity=means[name]), measured.cutoffs)["phase"]
        for name in ("mode_connectivity", column)
    )
    values = means.loc[cells.index]
    difference = values[column] - values["mode_connectivity"]
    return KindSection(
        cells=len(cells),
        pairs=len(known),
        usual=count_phases(usual),
        other=count_phases(other),
        changed=int((usual != other).sum()),
        confusion=confusion_of(usual, other),
        median_difference=float(difference.median()),
        largest_difference=float(difference.loc[difference.abs().idxmax()]),
        points=_points(values, column, usual, other),
    )


def _points(values: pd.DataFrame, column: str, usual: pd.Series, other: pd.Series) -> list[KindPoint]:
    columns = (values.index, values["mode_connectivity"], values[column], usual, other)
    return [
        KindPoint(cell_id=str(cell), usual=x, other=y, label=first, other_label=second)
        for cell, x, y, first, second in zip(*columns, strict=True)
    ]
