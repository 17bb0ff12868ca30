"""The phase diagram: every cell with its label, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from wslbench.annotation.report.cell_rows import CellRow
from wslbench.annotation.report.drawing.style import FAINT, INK, Picture, phase_handles, picture
from wslbench.landscape.panels import PHASE_COLOURS, name_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wslbench.annotation.report.head import Head
    from wslbench.zoo import ZooCard

_CELL = 0.58, 0.37
_MARGINS = 1.2, 1.5
_AT_LEAST = 5.2, 2.6
"""Inches."""


def phase_diagram(card: ZooCard, head: Head, rows: Sequence[CellRow]) -> Picture:
    """Load to the right, temperature upwards; two lines a cell: the label, and its doubt."""
    counts = len(card.load.values), len(card.temperature.values)
    width, height = (
        max(least, cell * count + margin)
        for least, cell, count, margin in zip(_AT_LEAST, _CELL, counts, _MARGINS, strict=True)
    )
    told = ", ".join(f"{phase} {number}" for phase, number in head.cells.items())
    alt = (
        f"Phase diagram: {head.total} cells by {card.load.label} (to the right) and {card.temperature.label} "
        f"(upwards). Cells a phase: {told}. {head.unfinished} unfinished, {head.unstable} unstable, "
        f"{head.dead} dead. The table below lists the doubtful ones."
    )
    caption = (
        "Phase of every cell. Hatched: unfinished, with the phase after training on behind the arrow. Italic with a "
        "number: unstable, with the share of bootstrap draws that keep the label. Cross: a run is dead or diverged. "
        "Question mark: no label."
    )
    draw = partial(_draw, card=card, head=head, rows=rows)
    return picture("phase-diagram", caption, alt, (width, height), draw, dense=True)


def _draw(figure: Figure, card: ZooCard, head: Head, rows: Sequence[CellRow]) -> None:
    from matplotlib.patches import Patch

    axes = figure.subplots()
    places = {
        (row.load, row.temperature): row
        for row in rows
        if row.load in card.load.values and row.temperature in card.temperature.values
    }
    for (load, temperature), row in places.items():
        _draw_cell(axes, card.load.values.index(load), card.temperature.values.index(temperature), row)
    name_axes(axes, card)
    axes.tick_params(length=2)
    handles = [
        *phase_handles(head.cells),
        Patch(
            facecolor="white", edgecolor="#555555", hatch="////", linewidth=0.5, label=f"unfinished ({head.unfinished})"
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, handlelength=1.4, columnspacing=1.2)


def _draw_cell(axes: Axes, x: int, y: int, row: CellRow) -> None:
    from matplotlib.patches import Rectangle

    corner = (x - 0.5, y - 0.5)
    if row.phase is None:
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor=FAINT, linewidth=0.6))
        axes.text(
            x, y, "×" if "dead" in row.marks else "?", ha="center", va="center", size=11, in_layout=False, color=INK
        )
        return
    unfinished, unstable = "unfinished" in row.marks, "unstable" in row.marks
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=PHASE_COLOURS[row.phase], edgecolor="white", linewidth=0.8))
    if unfinished:  # a patch of its own: an edge's colour is its hatch's
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor="#00000059", hatch="////", linewidth=0))
    below = []
    if unfinished:
        below.append(f"→{row.continued_phase or '?'}")
    if unstable and row.probability is not None:
        below.append(f"{row.probability:.2f}".removeprefix("0"))
    box: dict[str, Any] | None = (
        {"boxstyle": "square,pad=0.08", "facecolor": PHASE_COLOURS[row.phase], "linewidth": 0} if unfinished else None
    )
    style: dict[str, Any] = {"style": "italic"} if unstable else {"weight": "bold"}
    common: dict[str, Any] = {"ha": "center", "va": "center", "color": "black", "bbox": box, "in_layout": False}
    axes.text(x, y + (0.2 if below else 0), row.phase, size=8.5, **common, **style)
    if below:
        axes.text(x, y - 0.22, " ".join(below), size=6.5, **common)
