"""Cells as tables list them, and why a cell is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wslbench.annotation.report.cross_checks import CERTAIN_FROM
from wslbench.annotation.report.record import Record, printable
from wslbench.landscape.phases import CONNECTED_FROM

if TYPE_CHECKING:
    import pandas as pd

    from wslbench.annotation.report.measurements import Measurements

NAMES = {"train_loss": "train loss", "mode_connectivity": "mode connectivity", "cka": "CKA"}


class Estimate(Record):
    """A value and its standard error; null where there is none."""

    value: float
    error: float


class CellRow(Record):
    """One cell.

    Attributes
    ----------
    marks
        Which of ``dead``, ``unlabelled``, ``unfinished``, ``unstable`` it is.
    why
        What speaks against its label, or why it has none.
    nearest, distance
        The order parameter that is nearest to its cut-off, and how many standard errors lie between.
    """

    cell_id: str
    load: float
    temperature: float
    runs: int
    train_loss: Estimate
    mode_connectivity: Estimate
    cka: Estimate
    phase: str | None
    probability: float | None
    continued_phase: str | None
    marks: list[str]
    why: str
    nearest: str | None
    distance: float | None


def cell_rows(measured: Measurements) -> list[CellRow]:
    """Every cell, by load and then temperature."""
    rows = []
    load, temperature = measured.card.load.column, measured.card.temperature.column
    for cell_id, cell in measured.cells.iterrows():
        marks = _marks(cell)
        nearest, distance = _nearest_boundary(measured, cell)
        probability = cell.get("phase_probability", np.nan)
        rows.append(
            CellRow(
                cell_id=printable(cell_id),
                load=float(cell[load]),
                temperature=float(cell[temperature]),
                runs=int(cell["runs"]),
                **{name: Estimate(value=cell[name], error=cell[f"{name}_se"]) for name in NAMES},
                phase=cell["phase"],
                probability=float(probability) if np.isfinite(probability) else None,
                continued_phase=cell["continued_phase"],
                marks=marks,
                why=_why(cell, marks, nearest, distance),
                nearest=nearest,
                distance=distance,
            )
        )
    return rows


def _marks(cell: pd.Series) -> list[str]:
    marks = []
    if cell["dead"]:
        marks.append("dead")
    elif cell["phase"] is None:
        marks.append("unlabelled")
    if cell["unfinished"]:
        marks.append("unfinished")
    if cell.get("phase_probability", np.nan) < CERTAIN_FROM:
        marks.append("unstable")
    return marks


def _nearest_boundary(measured: Measurements, cell: pd.Series) -> tuple[str | None, float | None]:
    """Which order parameter is nearest to its cut-off in standard errors; of the loss, on the log scale."""
    if measured.cutoffs is None or not cell["labelled"]:
        return None, None
    cutoffs, loss = measured.cutoffs, float(cell["train_loss"])
    connected = min(CONNECTED_FROM, -cell.get("connectivity_tolerance", 0.0))
    distances = {
        "train loss": abs(np.log(loss) - np.log(cutoffs.train_loss)) / (float(cell["train_loss_se"]) / loss or np.nan),
        "mode connectivity": abs(cell["mode_connectivity"] - connected) / (cell["mode_connectivity_se"] or np.nan),
    }
    if cell["rule_phase"] in ("IV-A", "IV-B"):  # elsewhere CKA decides nothing
        distances["CKA"] = abs(cell["cka"] - cutoffs.cka) / (cell["cka_se"] or np.nan)
    known = {name: float(value) for name, value in distances.items() if np.isfinite(value)}
    nearest = min(known, key=known.__getitem__, default=None)
    return nearest, None if nearest is None else known[nearest]


def _why(cell: pd.Series, marks: list[str], nearest: str | None, distance: float | None) -> str:
    if "dead" in marks:
        return "a run of it is dead or diverged"
    if "unlabelled" in marks:
        if cell["runs"] < 2:
            return "one seed: connectivity and CKA compare two"
        missing = [name for column, name in NAMES.items() if not np.isfinite(cell[column])]
        return f"no value of {', '.join(missing)}" if missing else "the zoo gives it none"
    reasons = []
    if "unfinished" in marks:
        later = cell["continued_phase"]
        reasons.append(f"{later} when trained on" if later else "another phase when trained on")
    if "unstable" in marks and nearest is not None and distance is not None:
        reasons.append(f"{nearest} is {distance:.1f} standard errors from its cut-off")
    return "; ".join(reasons)
