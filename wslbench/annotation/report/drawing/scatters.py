"""Two measurements of the same cells against each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from wslbench.annotation.report.connectivity_kinds import KindSection
from wslbench.annotation.report.cross_checks import TRACES, HessianCheck
from wslbench.annotation.report.drawing.style import ACCENT, FAINT, INK, MARKERS, Picture, cut, phase_handles, picture
from wslbench.landscape.panels import PHASE_COLOURS
from wslbench.landscape.phases import CONNECTED_FROM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wslbench.annotation.report.measurements import Measurements

_SIZE = 4.6, 3.6

KIND_LABELS = {
    "longer": "a curve trained twice as long",
    "linear": "the straight line",
    "aligned": "the straight line after alignment",
    "test": "the same curve in test error",
}


def kind_scatter(kind: str, section: KindSection) -> Picture:
    """Mode connectivity as the zoo has it against another kind, a point a cell."""
    said = KIND_LABELS[kind]
    alt = (
        f"Mode connectivity of {section.cells} cells against that of {said}, over {section.pairs} pairs. The other "
        f"differs by {section.median_difference:+.2f} points in the median; {section.changed} labels change."
    ).replace("-0", "−0")
    caption = f"Connectivity of {said}, against the zoo's. Ringed: the label changes. Lines: −2 points, and equality."
    return picture(f"connectivity-{kind}", caption, alt, _SIZE, partial(draw_kind, label=said, section=section))


def hessian_scatter(check: HessianCheck, measured: Measurements) -> Picture:
    """Train loss against the Hessian trace, both with their cut-offs."""
    alt = (
        f"Train loss against the Hessian trace ({check.side}) of {check.cells} cells: {100 * check.agreement:.0f} % "
        f"lie on the same side of both cut-offs; {check.converged_sharp} are converged and sharp, "
        f"{check.unconverged_flat} not converged and flat."
    )
    caption = (
        f"Train loss and Hessian trace ({check.side} data), with both cut-offs: they agree in two of the quarters."
    )
    return picture(f"hessian-{check.side}", caption, alt, _SIZE, partial(_draw_hessian, check=check, measured=measured))


def draw_kind(figure: Figure, label: str, section: KindSection) -> None:
    """A point a cell; a ring around those whose label changes."""
    axes = figure.subplots()
    x = np.array([point.usual for point in section.points])
    y = np.array([point.other for point in section.points])
    _points(axes, x, y, [point.label for point in section.points])
    moved = np.array([point.label != point.other_label for point in section.points])
    axes.plot(x[moved], y[moved], "o", ms=9, mfc="none", mec=ACCENT, mew=0.9)
    axes.set_xlim(_around(x))  # set by hand: the line of equality must not stretch them
    axes.set_ylim(_around(y))
    axes.axline((0, 0), slope=1, color=INK, lw=0.8, zorder=1)
    cut(axes, CONNECTED_FROM, dashed=True)
    cut(axes, CONNECTED_FROM, across=True, dashed=True)
    axes.set_xlabel("mode connectivity (pp)")
    axes.set_ylabel(f"that of {label} (pp)")
    figure.legend(handles=phase_handles(markers=True), loc="outside lower center", ncols=5, handletextpad=0.1)


def _draw_hessian(figure: Figure, check: HessianCheck, measured: Measurements) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes = figure.subplots()
    column = TRACES[check.side]
    cells = measured.labelled[measured.labelled[column] > 0]
    _points(axes, cells["train_loss"].to_numpy(), cells[column].to_numpy(), list(cells["rule_phase"]))
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # plain numbers: powers need mathtext
        axis.set_minor_locator(NullLocator())
    if measured.cutoffs is not None:
        cut(axes, measured.cutoffs.train_loss)
    cut(axes, check.cutoff, across=True)
    axes.set_xlabel("train loss")
    axes.set_ylabel(f"Hessian trace, {check.side} data")
    figure.legend(handles=phase_handles(markers=True), loc="outside lower center", ncols=5, handletextpad=0.1)


def _around(values: np.ndarray) -> tuple[float, float]:
    """Limits that show all values and the threshold."""
    low, high = min(values.min(), CONNECTED_FROM), max(values.max(), CONNECTED_FROM)
    margin = 0.06 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _points(axes: Axes, x: np.ndarray, y: np.ndarray, labels: list[str]) -> None:
    axes.grid(visible=True, color=FAINT)
    for phase, marker in MARKERS.items():
        own = np.array([label == phase for label in labels])
        axes.plot(x[own], y[own], ls="", marker=marker, ms=5, mfc=PHASE_COLOURS[phase], mec=INK, mew=0.5, zorder=3)
