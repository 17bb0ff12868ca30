"""Labels if *connected* began elsewhere: other ε, or another allowance for noise between seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wslbench.annotation.report.record import Record
from wslbench.annotation.report.relabelling import Relabelling, connected_from, relabel
from wslbench.landscape.phases import CONNECTED_FROM

if TYPE_CHECKING:
    import pandas as pd

    from wslbench.annotation.report.measurements import Measurements

EPSILONS = (0.0, 1.0, 2.0, 3.0, 4.0)
"""Percentage points; 2 is the rule's."""

NOISE_SHARES = (0.0, 0.5, 1.0, 2.0)
"""Times the zoo's own factor."""


class ThresholdRow(Record):
    """Labels at one value of the threshold.

    Attributes
    ----------
    value
        ε in percentage points, or the factor on the noise between seeds.
    used
        Whether it is the rule's.
    refitted
        With cut-offs fitted anew; None where they were given, or the cells allow for none.
    frozen
        With the zoo's own cut-offs.
    """

    value: float
    used: bool
    refitted: Relabelling | None
    frozen: Relabelling | None


class ThresholdSection(Record):
    """Both sensitivities; ``noise`` is empty for a zoo without an allowance for noise."""

    cells: int
    epsilon: list[ThresholdRow]
    noise: list[ThresholdRow]


def threshold_section(measured: Measurements) -> ThresholdSection | None:
    """Labels at other thresholds of connectivity; None for a zoo without cut-offs."""
    if measured.cutoffs is None:
        return None
    cells, factor = measured.labelled, measured.noise_factor
    epsilon = [_row(measured, connected_from(cells, value), value, value == -CONNECTED_FROM) for value in EPSILONS]
    noise = []
    if factor is not None:
        noise = [_row(measured, _tolerating(cells, share), share * factor, share == 1) for share in NOISE_SHARES]
    return ThresholdSection(cells=len(cells), epsilon=epsilon, noise=noise)


def _tolerating(cells: pd.DataFrame, share: float) -> pd.DataFrame:
    return cells.assign(connectivity_tolerance=share * cells["connectivity_tolerance"])


def _row(measured: Measurements, cells: pd.DataFrame, value: float, used: bool) -> ThresholdRow:
    refitted = relabel(cells, None) if measured.refits else None
    return ThresholdRow(value=value, used=used, refitted=refitted, frozen=relabel(cells, measured.cutoffs))
