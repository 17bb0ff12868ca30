"""What every part of the report's record is, and how foreign text gets into it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from wslbench.landscape import PHASES

NO_PHASE = "none"
"""What tables of labels call a cell without a phase."""

Counts = dict[str, int]
"""How many cells each phase has, in the order of ``PHASES``."""

Confusion = dict[str, Counts]
"""How many cells have a label (outer) and get another one (inner)."""


class Record(BaseModel):
    """Frozen; what is not a number becomes null in ``report.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


def printable(text: object) -> str:
    """A foreign text without what a terminal, an SVG or a reader's eye could trip over (control, bidi, surrogates)."""
    return "".join(
        sign if sign.isprintable() else " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}" for sign in str(text)
    )


def count_phases(labels: Iterable[object]) -> Counts:
    """How often each of the five phases occurs; other labels do not count."""
    found = list(labels)
    return {phase: found.count(phase) for phase in PHASES}


def four_phases(counts: Counts) -> Counts:
    """The same counts with IV-A and IV-B merged."""
    merged = {phase: counts[phase] for phase in PHASES[:3]}
    return merged | {"IV": counts["IV-A"] + counts["IV-B"]}


def confusion_of(before: Iterable[object], after: Iterable[object]) -> Confusion:
    """Which labels became which; rows and columns are the five phases, and ``none`` where a label is missing."""
    pairs = [(_name(first), _name(second)) for first, second in zip(before, after, strict=True)]
    names = [*PHASES, *([NO_PHASE] if any(NO_PHASE in pair for pair in pairs) else [])]
    return {row: {column: pairs.count((row, column)) for column in names} for row in names}


def _name(label: object) -> str:
    return label if isinstance(label, str) and label in PHASES else NO_PHASE
