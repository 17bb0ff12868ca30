"""Old labels against new ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from wslbench.landscape import PHASES
from wslbench.zoo import Zoo

NO_PHASE = "none"


def former_labels(zoo: Zoo, cells: pd.DataFrame) -> dict[str, Any]:
    """For the card: how the labels of a re-annotation differ from those before.

    Returns
    -------
    dict
        ``former``: the old ``annotation_version``, ``confusion`` (old label to new label to cells) and ``changed``
        (cell to both labels). Empty if no cell had a phase.
    """
    old = zoo.cells.set_index("cell_id").get("phase")
    if old is None or old.isna().all():
        return {}
    before, after = (_named(labels.reindex(cells.index)) for labels in (old, cells["phase"]))
    counts = Counter(zip(before, after, strict=True))
    order = [*PHASES, NO_PHASE]
    confusion = {
        row: {column: counts[row, column] for column in order if column in set(after)}
        for row in order
        if row in set(before)
    }
    changed = {str(cell): [before[cell], after[cell]] for cell in cells.index if before[cell] != after[cell]}
    return {
        "former": {
            "annotation_version": zoo.card.annotation_version,
            "confusion": confusion,
            "changed": changed,
        }
    }


def _named(labels: pd.Series) -> pd.Series:
    return labels.astype(object).where(labels.notna(), NO_PHASE)
