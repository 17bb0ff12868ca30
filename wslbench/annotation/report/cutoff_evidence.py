"""The cut-offs of the rule, the values that they part, and whether there are two groups at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wslbench.annotation.report.record import Counts, Record, count_phases, four_phases
from wslbench.errors import LandscapeError
from wslbench.landscape import otsu
from wslbench.landscape.phases import CONNECTED_FROM

if TYPE_CHECKING:
    import pandas as pd

    from wslbench.annotation.report.measurements import Measurements


class CutoffEvidence(Record):
    """One cut-off.

    Attributes
    ----------
    quantity, scale, over
        What is cut, on which scale its values are compared, and over which cells.
    used
        The rule's cut-off, in the quantity's own unit; None if there is none.
    origin
        Where ``used`` comes from: ``fixed`` by the rule, ``card`` of the zoo, or ``fitted`` for this report.
    cells
        How many values there are.
    own
        Otsu's cut-off of these values, in the quantity's own unit. None if they allow for none.
    separability, null
        Otsu's η there, and the .95 quantile of it for as many uniform draws.
    verdict
        ``two groups`` where η exceeds its null, else ``crossover``; ``undefined`` where there is no η.
    values
        On the scale of ``scale``, ascending.
    """

    quantity: str
    scale: str
    over: str
    used: float | None
    origin: str
    cells: int
    own: float | None
    separability: float | None
    null: float | None
    verdict: str
    values: list[float]


class CutoffSection(Record):
    """All three cut-offs, and counts with IV merged."""

    train_loss: CutoffEvidence
    cka: CutoffEvidence
    mode_connectivity: CutoffEvidence
    largest_tolerance: float | None
    tolerant_cells: int
    four_phases: Counts
    four_phases_finished: Counts


def cutoff_section(measured: Measurements) -> CutoffSection:
    """The cut-offs of a zoo with their evidence, over the cells that the rule rests on."""
    cells, cutoffs = measured.labelled, measured.cutoffs
    origin = "none" if cutoffs is None else "card" if measured.frozen else "fitted"
    in_four = cells[cells["rule_phase"].isin(("IV-A", "IV-B"))]
    all_cells, finished = measured.cells, measured.cells[~measured.cells["unfinished"]]
    tolerance = cells["connectivity_tolerance"] if "connectivity_tolerance" in cells else cells["train_loss"] * np.nan
    return CutoffSection(
        train_loss=_evidence(
            "train loss",
            np.log10(cells["train_loss"]),
            "cells",
            cutoffs.train_loss if cutoffs else None,
            origin,
            "log10",
        ),
        cka=_evidence("CKA", in_four["cka"], "cells in IV", cutoffs.cka if cutoffs else None, origin),
        mode_connectivity=_evidence(
            "mode connectivity", cells["mode_connectivity"], "cells", CONNECTED_FROM, "fixed", "percentage points"
        ),
        largest_tolerance=float(tolerance.max()) if tolerance.notna().any() else None,
        tolerant_cells=int((tolerance > -CONNECTED_FROM).sum()),
        four_phases=four_phases(count_phases(all_cells["phase"])),
        four_phases_finished=four_phases(count_phases(finished["phase"])),
    )


def _evidence(
    quantity: str, values: pd.Series, over: str, used: float | None, origin: str, scale: str = "as it is"
) -> CutoffEvidence:
    own = separability = null = None
    verdict = "undefined"
    try:
        found = otsu(values)
    except LandscapeError:
        pass
    else:
        own = float(10**found.value) if scale == "log10" else found.value
        separability, null = found.separability, found.null_separability
        verdict = "two groups" if found.is_transition else "crossover"
    return CutoffEvidence(
        quantity=quantity,
        scale=scale,
        over=over,
        used=used,
        origin=origin,
        cells=len(values),
        own=own,
        separability=separability,
        null=null,
        verdict=verdict,
        values=sorted(map(float, values)),
    )
