"""Labels under other choices: cells a phase as stacked bars, and agreement of labels from fewer seeds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from wslbench.annotation.report.drawing.style import FAINT, INK, Picture, phase_handles, picture
from wslbench.annotation.report.seed_subsets import SubsetSection
from wslbench.annotation.report.threshold_sensitivity import ThresholdRow, ThresholdSection
from wslbench.landscape import PHASES
from wslbench.landscape.panels import PHASE_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wslbench.annotation.report.relabelling import Relabelling


def threshold_bars(section: ThresholdSection) -> list[Picture]:
    """Cells a phase by ε, and by the factor on the noise between seeds where the zoo has one."""
    pictures = [_bars("epsilon", "ε (pp)", "connected from −ε percentage points on", section.epsilon)]
    if section.noise:
        pictures.append(
            _bars("noise-factor", "factor", "connected from minus the factor times the noise on", section.noise)
        )
    return pictures


def agreement_dots(section: SubsetSection) -> Picture:
    """How often fewer seeds give the label of all, by phase."""
    told = "; ".join(f"{row.seeds} seeds: {100 * row.agreement:.0f} % on average" for row in section.rows)
    alt = f"Share of {section.cells} cells whose label from fewer seeds is that from {section.seeds}, by phase. {told}."
    caption = (
        f"Share of cells that keep the label of all {section.seeds} seeds when fewer are used; bars of “all”: least "
        "and most over the subsets of seeds."
    )
    return picture("seeds", caption, alt, (5.2, 2.9), partial(_draw_dots, section=section))


def _bars(name: str, label: str, meaning: str, rows: Sequence[ThresholdRow]) -> Picture:
    told = "; ".join(
        f"{row.value:g}: {row.frozen.changed} cells change" for row in rows if row.frozen is not None and not row.used
    )
    alt = f"Cells a phase, {meaning}. With the other cut-offs frozen, against the zoo's labels, {told}."
    caption = (
        f"Cells a phase, {meaning}; on the right of each bar, how many cells change their label. "
        "Bold: the zoo's own choice."
    )
    size = (8.4, 0.34 * len(rows) + 1.15)
    return picture(name, caption, alt, size, partial(_draw_bars, label=label, rows=rows))


def _draw_bars(figure: Figure, label: str, rows: Sequence[ThresholdRow]) -> None:
    refitted, frozen = figure.subplots(1, 2, sharey=True)
    _draw_stack(refitted, "other cut-offs fitted anew", [row.refitted for row in rows])
    _draw_stack(frozen, "other cut-offs frozen", [row.frozen for row in rows])
    refitted.set_yticks(range(len(rows)), [f"{row.value:g}" for row in rows])
    for tick, row in zip(refitted.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if row.used else "normal")
    refitted.set_ylabel(label)
    refitted.invert_yaxis()
    figure.legend(handles=phase_handles(), loc="outside lower center", ncols=5, handlelength=1.4)


def _draw_stack(axes: Axes, title: str, found: Sequence[Relabelling | None]) -> None:
    most = max([1, *(sum(one.counts.values()) for one in found if one is not None)])
    for y, one in enumerate(found):
        if one is None:
            axes.text(0, y, " no cut-offs of their own", va="center", size=8, style="italic")
            continue
        left = 0
        for phase in PHASES:
            count = one.counts[phase]
            axes.barh(y, count, left=left, height=0.78, color=PHASE_COLOURS[phase], edgecolor="white", linewidth=0.6)
            if count >= 0.05 * most:
                axes.text(left + count / 2, y, f"{count}", ha="center", va="center", size=7, color="black")
            left += count
        axes.text(left + 0.015 * most, y, f"{one.changed}" if one.changed else "–", va="center", size=8)
    axes.set_xlim(0, 1.1 * most)
    axes.set_title(title, weight="normal", size=9)
    axes.set_xlabel("cells")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_dots(figure: Figure, section: SubsetSection) -> None:
    axes = figure.subplots()
    names = [*PHASES, "all"]
    for number, row in enumerate(section.rows):
        place = np.arange(len(names)) + (number - (len(section.rows) - 1) / 2) * 0.22
        values = [row.by_phase[phase] for phase in PHASES] + [row.agreement]
        shares = np.array([np.nan if value is None else value for value in values])
        axes.vlines(place[-1], row.lowest, row.highest, color=INK, lw=1)
        axes.plot(
            place, shares, ls="", marker="os^D"[number % 4], ms=6, mec=INK, mew=0.8, mfc="none" if number == 0 else INK,
            label=f"{row.seeds} of {section.seeds} seeds",
        )  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    axes.axvline(len(PHASES) - 0.5, color=FAINT, lw=0.8)
    low = min([value for row in section.rows for value in (*row.by_phase.values(), row.lowest) if value is not None])
    axes.set_ylim(max(-0.03, min(0.5, low - 0.08)), 1.03)
    axes.set_ylabel("share of agreeing labels")
    axes.grid(visible=True, axis="y")
    axes.legend(loc="lower left", ncols=2)
