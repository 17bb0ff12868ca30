"""Labels before the last annotation, against those of today, as the card keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, ValidationError

from wslbench.annotation.report.record import NO_PHASE, Confusion, Record, printable
from wslbench.landscape import PHASES

if TYPE_CHECKING:
    from wslbench.zoo import ZooCard


class ChangedCell(Record):
    """A cell whose label changed."""

    cell_id: str
    before: str
    after: str


class FormerSection(Record):
    """The former annotation.

    Attributes
    ----------
    annotation_version
        Of the former labels.
    cells, changed
        How many cells are compared, and how many have another label now.
    confusion
        From the former label (outer) to today's (inner).
    changes
        The cells that changed.
    """

    annotation_version: int
    cells: int
    changed: int
    confusion: Confusion
    changes: list[ChangedCell]


class _Stored(BaseModel):
    annotation_version: int
    confusion: dict[str, dict[str, int]]
    changed: dict[str, list[str | None]] = Field(default_factory=dict)


def former_section(card: ZooCard) -> FormerSection | None:
    """What the card keeps of former labels; None if nothing, or nothing that can be read."""
    former = (card.phase_rule or {}).get("former")
    if not isinstance(former, Mapping):
        return None
    try:
        stored = _Stored.model_validate(dict(former))
    except ValidationError:
        return None
    counts = {(printable(old), printable(new)): n for old, row in stored.confusion.items() for new, n in row.items()}
    seen = {label for pair in counts for label in pair}
    names = [*PHASES, *sorted(seen - {*PHASES, NO_PHASE}), *([NO_PHASE] if NO_PHASE in seen else [])]
    changes = [
        ChangedCell(cell_id=printable(cell), before=printable(old or NO_PHASE), after=printable(new or NO_PHASE))
        for cell, (old, new) in sorted((cell, labels) for cell, labels in stored.changed.items() if len(labels) == 2)
    ]
    return FormerSection(
        annotation_version=stored.annotation_version,
        cells=sum(counts.values()),
        changed=sum(n for (old, new), n in counts.items() if old != new),
        confusion={row: {column: counts.get((row, column), 0) for column in names} for row in names},
        changes=changes,
    )
