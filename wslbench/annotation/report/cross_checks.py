"""Checks of labels by what the rule does not use: the Hessian, and the bootstrap over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wslbench.annotation.report.record import Record
from wslbench.errors import LandscapeError
from wslbench.landscape import PHASES, otsu

if TYPE_CHECKING:
    from wslbench.annotation.report.measurements import Measurements

CERTAIN_FROM = 0.8
"""Phase probability."""

BIN_EDGES = tuple(edge / 20 for edge in range(21))

TRACES = {"train": "hessian_trace", "test": "hessian_trace_test"}


class HessianCheck(Record):
    """Whether the Hessian parts the same cells as the train loss.

    Attributes
    ----------
    side
        Data of the Hessian.
    cells, left_out
        How many cells are compared; how many labelled ones have no positive trace.
    cutoff, separability, null
        Otsu's on log10 trace; ``cutoff`` in the trace's own unit.
    agreement
        Share of the cells that lie on the same side of both cut-offs: converged and flat, or neither.
    converged_sharp, unconverged_flat
        How many cells disagree, and how.
    """

    side: str
    cells: int
    left_out: int
    cutoff: float
    separability: float
    null: float
    agreement: float
    converged_sharp: int
    unconverged_flat: int


class CertaintySection(Record):
    """The distribution of phase probabilities.

    Attributes
    ----------
    cells
        That have one.
    edges, finished, unfinished
        Of the histogram, and how many cells of either kind are in each bin.
    certain_share
        Share of finished cells with a probability of at least .8.
    certain_by_phase
        The same by phase; None for a phase without finished cells.
    """

    cells: int
    edges: list[float]
    finished: list[int]
    unfinished: list[int]
    certain_share: float | None
    certain_by_phase: dict[str, float | None]


def hessian_checks(measured: Measurements) -> list[HessianCheck]:
    """Compare Otsu's cut-off of log10 trace with that of the train loss, on each side that the zoo has."""
    return [check for side in TRACES if (check := _hessian_check(measured, side)) is not None]


def _hessian_check(measured: Measurements, side: str) -> HessianCheck | None:
    cells, column = measured.labelled, TRACES[side]
    if measured.cutoffs is None or column not in cells:
        return None
    known = cells[(cells[column] > 0) & np.isfinite(cells[column])]
    try:
        cut = otsu(np.log10(known[column]))
    except LandscapeError:
        return None
    flat = np.log10(known[column]) < cut.value
    converged = known["rule_phase"].isin(("III", "IV-A", "IV-B"))
    return HessianCheck(
        side=side,
        cells=len(known),
        left_out=len(cells) - len(known),
        cutoff=float(10**cut.value),
        separability=cut.separability,
        null=cut.null_separability,
        agreement=float((flat == converged).mean()),
        converged_sharp=int((converged & ~flat).sum()),
        unconverged_flat=int((~converged & flat).sum()),
    )


def certainty_section(measured: Measurements) -> CertaintySection | None:
    """How certain the labels are; None where the zoo has no phase probabilities."""
    if "phase_probability" not in measured.cells:
        return None
    cells = measured.cells[measured.cells["phase"].notna() & measured.cells["phase_probability"].notna()]
    if cells.empty:
        return None
    finished = cells[~cells["unfinished"]]
    counts = [
        np.histogram(part["phase_probability"], BIN_EDGES)[0].tolist()
        for part in (finished, cells[cells["unfinished"]])
    ]
    certain = finished["phase_probability"] >= CERTAIN_FROM
    by_phase = {phase: certain[finished["phase"] == phase] for phase in PHASES}
    return CertaintySection(
        cells=len(cells),
        edges=list(BIN_EDGES),
        finished=counts[0],
        unfinished=counts[1],
        certain_share=float(certain.mean()) if len(certain) else None,
        certain_by_phase={phase: float(part.mean()) if len(part) else None for phase, part in by_phase.items()},
    )
