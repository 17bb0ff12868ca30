"""Tables of the site: what a template needs of a heading, a row, a cell."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

from wslbench.leaderboard.site.html import breakable, visible

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

    @property
    def body(self) -> Markup:
        """The rows as HTML, written here and not by a template: a large board has half a million cells."""
        words = {place for place, heading in enumerate(self.headings) if not heading.numeric}
        return Markup("\n".join([_line(line, words) for line in self.rows]))  # every text comes through `_text`

    @property
    def named(self) -> Sequence[bool]:
        """Which columns hold the names of rows."""
        return [cell.style == "name" for cell in self.rows[0].cells] if self.rows else [False] * len(self.headings)


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


def _line(line: Line, words: Container[int]) -> str:
    style = f' class="{_text(line.style)}"' if line.style else ""
    cells = "".join([_cell(cell, place in words) for place, cell in enumerate(line.cells)])
    return f"<tr{style}>{cells}</tr>"


def _cell(cell: Cell, words: bool) -> str:
    text, link, bar, style, title, mark = cell
    if words and not style:
        style = "text"
    inside = _text(text)
    if style == "name":
        inside = breakable(inside)
    if link:
        inside = f'<a href="{_text(link)}">{inside}</a>'
    if mark:
        inside += f'<span class="tie">{_text(mark)}</span>'
    if bar is not None:
        inside += bar
    attributes = f' class="{_text(style)}"' if style else ""
    if title:
        attributes += f' title="{_text(title)}"'
    if style == "name":
        return f'<th scope="row"{attributes}>{inside}</th>'
    return f"<td{attributes}>{inside}</td>"


@lru_cache(maxsize=1 << 16)
def _text(text: str) -> str:
    """Escaped, and without what could turn a page around, as templates have it."""
    return str(escape(visible(text)))
