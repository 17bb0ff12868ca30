"""Labels under another choice, against the zoo's own: how many cells change."""

from __future__ import annotations

import pandas as pd

from wslbench.annotation.report.record import Counts, Record, count_phases
from wslbench.errors import LandscapeError
from wslbench.landscape import PhaseCutoffs, assign_phases, fit_cutoffs
from wslbench.landscape.phases import CONNECTED_FROM


class Relabelling(Record):
    """Labels under another choice.

    Attributes
    ----------
    cutoffs
        Those that gave them.
    counts
        Cells a phase.
    changed
        Cells with another label than the rule gives them.
    """

    cutoffs: PhaseCutoffs
    counts: Counts
    changed: int


def relabel(cells: pd.DataFrame, cutoffs: PhaseCutoffs | None) -> Relabelling | None:
    """Label cells by these cut-offs, or by their own if None, and compare with their ``rule_phase``.

    None where the cells allow for no cut-offs of their own.
    """
    try:
        own = fit_cutoffs(cells) if cutoffs is None else cutoffs
    except LandscapeError:
        return None
    labels = assign_phases(cells, own)["phase"]
    return Relabelling(cutoffs=own, counts=count_phases(labels), changed=int((labels != cells["rule_phase"]).sum()))


def connected_from(cells: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    """The cells as the rule would see them if *connected* began at ``−epsilon`` percentage points.

    The rule's threshold is fixed, so connectivity moves against it. A tolerance for noise that is larger than
    ``epsilon`` still holds.
    """
    shift = epsilon + CONNECTED_FROM
    moved = cells.assign(mode_connectivity=cells["mode_connectivity"] + shift)
    if "connectivity_tolerance" in moved:
        moved["connectivity_tolerance"] = moved["connectivity_tolerance"] - shift
    return moved
