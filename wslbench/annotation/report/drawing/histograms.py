"""Histograms: what the cut-offs part, and how certain the labels are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wslbench.annotation.report.cross_checks import CERTAIN_FROM, CertaintySection
from wslbench.annotation.report.cutoff_evidence import CutoffEvidence, CutoffSection
from wslbench.annotation.report.drawing.style import ACCENT, INK, NEUTRAL, SECOND, Picture, cut, picture
from wslbench.landscape.phases import CONNECTED_FROM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wslbench.annotation.report.measurements import Measurements

_SIZE = 5.2, 2.9


def cutoff_histograms(section: CutoffSection, measured: Measurements) -> list[Picture]:
    """One a cut-off that has values, and the tolerance of connectivity where there is one."""
    pictures = [
        _histogram("histogram-train-loss", "log10 train loss", section.train_loss),
        _histogram("histogram-cka", "CKA similarity of the cells in IV", section.cka),
        _histogram("histogram-mode-connectivity", "mode connectivity (pp)", section.mode_connectivity),
    ]
    if section.tolerant_cells:
        pictures.append(_tolerance(measured))
    return [one for one in pictures if one is not None]


def certainty_histogram(section: CertaintySection) -> Picture:
    """How many cells have which phase probability."""
    certain = f"{100 * section.certain_share:.0f} %" if section.certain_share is not None else "none"
    alt = (
        f"Histogram of the phase probability of {section.cells} cells, finished ones and unfinished ones stacked. "
        f"{certain} of the finished cells are at {CERTAIN_FROM:g} or above."
    )
    caption = "Share of bootstrap draws over a cell's seeds that give its label again; line: stable from there on."
    return picture("phase-probability", caption, alt, _SIZE, partial(_draw_certainty, section=section))


def _histogram(name: str, label: str, evidence: CutoffEvidence) -> Picture | None:
    if not evidence.values:
        return None
    used = "no cut-off" if evidence.used is None else f"cut-off {evidence.used:.3g}"
    tested = ""
    if evidence.separability is not None and evidence.null is not None:
        tested = f" Otsu's separability {evidence.separability:.3f}, null {evidence.null:.3f}: {evidence.verdict}."
    alt = f"Histogram of {label} over {evidence.cells} {evidence.over}, {used}.{tested}"
    fixed = evidence.origin == "fixed"
    caption = f"{label[0].upper()}{label[1:]}. Line: the rule's cut-off." + (" Dashed: Otsu's own." if fixed else "")
    return picture(name, caption, alt, _SIZE, partial(_draw_histogram, label=label, evidence=evidence))


def _draw_histogram(figure: Figure, label: str, evidence: CutoffEvidence) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = figure.subplots()
    values = np.array(evidence.values)
    used = evidence.used
    if used is not None and evidence.scale == "log10":
        used = float(np.log10(used))
    axes.hist(values, bins=bin_edges(values, used).tolist(), color=NEUTRAL, edgecolor="white", linewidth=0.4)
    if used is not None:
        cut(axes, used)
    if evidence.origin == "fixed" and evidence.own is not None:
        cut(axes, evidence.own, dashed=True)
    if evidence.separability is not None:
        text = f"η = {evidence.separability:.3f}\none hump reaches {evidence.null:.3f}\n{evidence.verdict}"
        # On the emptier half, so that it covers no bar.
        right = np.mean(values) < (values.min() + values.max()) / 2
        axes.text(
            0.98 if right else 0.02, 0.97, text, transform=axes.transAxes, size=8, color=INK,
            ha="right" if right else "left", va="top",
        )  # fmt: skip
    axes.set_ylim(top=axes.get_ylim()[1] * 1.25)
    axes.set_xlabel(label)
    axes.set_ylabel(evidence.over)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def bin_edges(values: NDArray[np.float64], cutoff: float | None) -> NDArray[np.float64]:
    """Equal bins over the values, about twice the root of their number; no bin straddles the cut-off."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    width = (high - low) / np.clip(round(2 * np.sqrt(len(values))), 8, 40)
    slack = 1e-9  # of a bin, so that rounding loses no value at either end
    start = low if cutoff is None else cutoff + width * np.floor((low - cutoff) / width - slack)
    number = int(np.ceil((high - start) / width + slack))
    edges: NDArray[np.float64] = start + width * np.arange(number + 1)
    return edges


def _tolerance(measured: Measurements) -> Picture:
    cells = measured.labelled
    tolerance = np.maximum(cells["connectivity_tolerance"].fillna(0.0), -CONNECTED_FROM)
    connected = int((cells["mode_connectivity"] >= -tolerance).sum())
    alt = (
        f"Mode connectivity of {len(cells)} cells against how much each is allowed to fall short: "
        f"{connected} are on or above the line, hence connected."
    )
    caption = (
        "Mode connectivity against the cell's tolerance for noise between its seeds. On or above the line: connected."
    )
    return picture("connectivity-tolerance", caption, alt, _SIZE, partial(_draw_tolerance, measured=measured))


def _draw_tolerance(figure: Figure, measured: Measurements) -> None:
    axes = figure.subplots()
    cells = measured.labelled
    tolerance = np.maximum(cells["connectivity_tolerance"].fillna(0.0), -CONNECTED_FROM)
    axes.plot(tolerance, cells["mode_connectivity"], "o", ms=4, mfc=NEUTRAL, mec=INK, mew=0.4, alpha=0.85)
    ends = np.geomspace(-CONNECTED_FROM, float(tolerance.max()), 50)  # a curve on this scale
    axes.plot(ends, -ends, color=ACCENT, lw=1.4)
    axes.set_xscale("log")
    ticks = [tick for tick in (2, 5, 10, 20, 50, 100, 200, 500) if tick <= 1.1 * ends[-1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("tolerance: at least 2, pp")
    axes.set_ylabel("mode connectivity (pp)")
    axes.grid(visible=True)


def _draw_certainty(figure: Figure, section: CertaintySection) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = figure.subplots()
    left, width = np.array(section.edges[:-1]), section.edges[1] - section.edges[0]
    common: dict[str, Any] = {"width": width, "align": "edge", "edgecolor": "white", "linewidth": 0.4}
    axes.bar(left, section.finished, color=NEUTRAL, label="finished cells", **common)
    axes.bar(
        left, section.unfinished, bottom=section.finished, color=SECOND, hatch="////", label="unfinished", **common
    )
    cut(axes, CERTAIN_FROM)
    axes.set_xlim(0, 1)
    axes.set_xlabel("phase probability")
    axes.set_ylabel("cells")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left")
