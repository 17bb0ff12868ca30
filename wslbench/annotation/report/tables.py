"""The tables beside the page: every cell with every quantity, and the runs to look at twice."""

from __future__ import annotations

import pandas as pd

from wslbench.annotation.report.health import HealthSection, RunNote
from wslbench.annotation.report.measurements import Measurements
from wslbench.annotation.report.record import printable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cells_csv(measured: Measurements) -> str:
    """``cells.csv``: a row a cell, all quantities with their standard errors, labels and flags."""
    return _csv(measured.cells.reset_index().drop(columns=["labelled"]))


def health_csv(section: HealthSection) -> str:
    """``health.csv``: a row a finding."""
    rows = [note.model_dump() for note in section.notes]
    return _csv(pd.DataFrame(rows, columns=list(RunNote.model_fields)))


def _csv(table: pd.DataFrame) -> str:
    texts = {
        name: [None if value is None or pd.isna(value) else _safe(value) for value in table[name]]
        for name in table
        if not pd.api.types.is_numeric_dtype(table[name])
    }
    plain = table.assign(
        **{str(name): pd.Series(values, index=table.index, dtype=object) for name, values in texts.items()}
    )
    text: str = plain.rename(columns=_safe).to_csv(index=False, lineterminator="\n")
    return text


def _safe(value: object) -> str:
    """A foreign text that no spreadsheet takes for a formula."""
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
