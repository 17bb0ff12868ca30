"""Tables of the site: what a template needs of a heading, a row, a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from markupsafe import Markup

Step = Literal["", "b1", "b2", "b3", "w1", "w2", "w3", "s0", "s1", "s2", "s3", "s4", "s5"]
"""How a cell of a heat map is filled: better or worse by three steps, or a share by six."""


class Heading(NamedTuple):
    """What stands above a column.

    Attributes
    ----------
    numeric
        Whether it is a number: set to the right, and the largest first when it is sorted.
    title
        What it means.
    small
        A second line.
    """

    text: str
    numeric: bool = True
    title: str = ""
    small: str = ""
    link: str | None = None


class Cell(NamedTuple):
    """One cell; a column is sorted by the number that ``text`` begins with, or by ``text``."""

    text: str
    link: str | None = None
    bar: Markup | None = None
    style: str = ""
    title: str = ""
    mark: str = ""


class Line(NamedTuple):
    """A row; ``style`` is its CSS class: the role of its method, and its group of ties."""

    cells: Sequence[Cell]
    style: str = ""


class Table(NamedTuple):
    """A table; the first ``fixed`` columns stay in sight when it scrolls."""

    label: str
    headings: Sequence[Heading]
    rows: Sequence[Line]
    style: str = ""


def share_step(share: float | None) -> Step:
    """The fill of a share between 0 and 1."""
    if share is None:
        return ""
    steps: tuple[Step, ...] = ("s0", "s1", "s2", "s3", "s4", "s5")
    return steps[min(5, max(0, int(share * 6)))]


def lift_step(lift: float | None) -> Step:
    """The fill of what is gained or lost against the best legal floor: from .01, .05 and .15 on."""
    if lift is None or abs(lift) < 0.01:
        return ""
    size = 1 + (abs(lift) >= 0.05) + (abs(lift) >= 0.15)
    better: tuple[Step, ...] = ("b1", "b2", "b3")
    worse: tuple[Step, ...] = ("w1", "w2", "w3")
    return (better if lift > 0 else worse)[size - 1]
