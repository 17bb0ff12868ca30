"""How every figure looks, on a light and on a dark page, and its way into an SVG file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from wslbench.landscape.panels import PHASE_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, ACCENT = "#24292f", "#c9d1d9", "#b3261e"
"""Text and lines, what must not draw the eye, and cut-offs."""

NEUTRAL, SECOND = "#5b84b1", "#d9a066"
"""Two kinds of bars that are no phases."""

_ON_DARK = {INK: "#e8eaed", FAINT: "#4a5058", ACCENT: "#ff9a8d"}

MARKERS = {"I": "o", "II": "s", "III": "^", "IV-A": "D", "IV-B": "v"}
"""Phases told apart without colour."""

STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "text.parse_math": False,  # text of a zoo is text: a dollar is a dollar
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "wslbench",
}

CSS_PIXELS = 96
"""An inch."""


class Picture(NamedTuple):
    """One figure of the page.

    Attributes
    ----------
    name
        Of its files: ``<name>.svg`` and ``<name>-dark.svg``.
    caption
        Below the figure.
    alt
        What someone hears who does not see it.
    light, dark
        The two SVG files, without background.
    width, height
        CSS pixels.
    dense
        Whether it holds text in cells, so that a small screen must not shrink it.
    """

    name: str
    caption: str
    alt: str
    light: str
    dark: str
    width: int
    height: int
    dense: bool


def picture(
    name: str, caption: str, alt: str, size: tuple[float, float], draw: Callable[[Figure], None], dense: bool = False
) -> Picture:
    """Draw on a figure of so many inches; the same drawing in both colourings."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        file = io.StringIO()
        # Not `savefig`, which draws twice.
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Title": alt})
    light = dark = file.getvalue()
    for colour, instead in _ON_DARK.items():
        dark = dark.replace(colour, instead)
    width, height = (round(inches * CSS_PIXELS) for inches in size)
    return Picture(name, caption, alt, light, dark, width, height, dense)


def phase_handles(counts: dict[str, int] | None = None, markers: bool = False) -> list[object]:
    """Legend entries of the five phases, with how many cells each has."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[object] = []
    for phase, colour in PHASE_COLOURS.items():
        label = phase if counts is None else f"{phase} ({counts[phase]})"
        if markers:
            handles.append(
                Line2D([], [], ls="", marker=MARKERS[phase], mfc=colour, mec=INK, mew=0.6, ms=6, label=label)
            )
        else:
            handles.append(Patch(facecolor=colour, edgecolor=INK, linewidth=0.5, label=label))
    return handles


def cut(axes: Axes, value: float, *, across: bool = False, dashed: bool = False) -> None:
    """A line at a cut-off: upright, or ``across``."""
    line = axes.axhline if across else axes.axvline
    line(value, color=ACCENT, lw=1.4, ls=(0, (4, 3)) if dashed else "-", zorder=4)
