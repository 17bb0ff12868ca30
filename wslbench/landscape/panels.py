"""The panels of a zoo's diagram: phases, and one heat map a quantity, each readable without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wslbench.landscape.order_maps import FloatArray, OrderMap, two_digits
from wslbench.landscape.phases import PHASES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from wslbench.zoo import ZooCard

PHASE_COLOURS = {"I": "#b2734b", "II": "#c49d3f", "III": "#9bbfe2", "IV-A": "#b0e0c9", "IV-B": "#dff5e6"}
"""Kept apart by their greys alone: each is lighter than the one before."""

CELL_TEXT, LONG_CELL_TEXT = 7.0, 6.0
"""Points, for up to four characters and for more."""

_CERTAIN_FROM = 0.8

_CELL = 0.4, 0.25
_PANEL_AT_LEAST = 3.6, 2.4
_MARGINS = 1.6, 1.1
"""Inches."""


def draw_phases(axes: Axes, card: ZooCard, cells: pd.DataFrame) -> None:
    """The phase of every cell: italics where it is uncertain, struck where unfinished, blank where it has none."""
    from matplotlib.colors import ListedColormap

    numbers = cells["phase"].map({phase: float(number) for number, phase in enumerate(PHASES)})
    phases = grid(card, cells, numbers)
    colours = ListedColormap([PHASE_COLOURS[phase] for phase in PHASES])
    axes.imshow(np.ma.masked_invalid(phases), cmap=colours, vmin=-0.5, vmax=4.5, origin="lower", aspect="auto")
    missing = np.full(phases.shape, np.nan)
    probability = grid(card, cells, cells["phase_probability"]) if "phase_probability" in cells else missing
    unfinished = grid(card, cells, cells["unfinished"].astype(float)) if "unfinished" in cells else missing
    for (row, column), number in np.ndenumerate(phases):
        if np.isnan(number):
            continue
        phase = PHASES[int(number)]
        doubtful = probability[row, column] < _CERTAIN_FROM
        style: dict[str, Any] = {"style": "italic"} if doubtful else {"weight": "bold"}
        if unfinished[row, column] > 0:
            axes.plot([column - 0.5, column + 0.5], [row - 0.5, row + 0.5], color="black", lw=0.6)
            # The line ends where the text begins.
            style["bbox"] = {"boxstyle": "square,pad=0.1", "facecolor": PHASE_COLOURS[phase], "linewidth": 0}
        axes.text(column, row, phase, ha="center", va="center", size=CELL_TEXT, in_layout=False, **style)
    finished = cells if "unfinished" not in cells else cells[~cells["unfinished"].astype(bool)]
    counts = finished["phase"].value_counts()
    summary = ", ".join(f"{phase} {counts.get(phase, 0)}" for phase in PHASES)
    name_axes(axes, card)
    axes.set_title(f"phase (finished cells: {summary};\nitalics: probability < .8; struck: unfinished)")


def draw_map(axes: Axes, card: ZooCard, cells: pd.DataFrame, order_map: OrderMap) -> None:
    """One quantity, with its value in every cell and the phase rule's cut-off, if it has one, as a line."""
    picture = shown_grid(card, cells, order_map)
    # From dark to light without a turn, so that a print in grey has the same order.
    image = axes.imshow(picture, cmap="viridis", norm=_norm(picture, order_map.wide), origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(picture):
        if np.isfinite(value):
            red, green, blue, _ = image.to_rgba(np.asarray(value))
            colour = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "black"
            text = order_map.text(value)
            size = CELL_TEXT if len(text) <= 4 else LONG_CELL_TEXT
            axes.text(column, row, text, ha="center", va="center", size=size, color=colour, in_layout=False)
    _draw_scale(axes, image, order_map)
    name_axes(axes, card)
    title = order_map.title
    cutoffs = (card.phase_rule or {}).get("cutoffs", {})
    if order_map.column in cutoffs:
        limits = _limits(cells, order_map.column, float(cutoffs[order_map.column]))
        beyond = cells[order_map.column] >= limits
        if _draw_border(axes, grid(card, cells, beyond.astype(float).where(cells[order_map.column].notna()))):
            title += "; line: cut-off of the phase rule"
    axes.set_title(title)


def shown_grid(card: ZooCard, cells: pd.DataFrame, order_map: OrderMap) -> FloatArray:
    """What a map draws, by temperature and load; NaN where a cell stays blank."""
    values = order_map.shown(grid(card, cells, cells[order_map.column]))
    return np.where(np.isfinite(values), values, np.nan)


def panel_size(card: ZooCard) -> tuple[float, float]:
    """Width and height in inches: a cell holds its text, a panel its title, a figure of many cells grows."""
    counts = len(card.load.values), len(card.temperature.values)
    width, height = (
        max(least, cell * count) + margin
        for least, cell, count, margin in zip(_PANEL_AT_LEAST, _CELL, counts, _MARGINS, strict=True)
    )
    return width, height


def grid(card: ZooCard, cells: pd.DataFrame, values: pd.Series) -> FloatArray:
    """Values by temperature (rows, cold to hot) and load (columns); NaN where there is no cell."""
    load, temperature = card.load, card.temperature
    frame = cells[[load.column, temperature.column]].assign(_value=values.to_numpy())
    table = frame.pivot(index=temperature.column, columns=load.column, values="_value")
    return table.reindex(index=temperature.values, columns=load.values).to_numpy(dtype=np.float64)


def _limits(cells: pd.DataFrame, column: str, cutoff: float) -> pd.Series | float:
    """The cut-off of each cell: that of connectivity allows for noise between seeds where the zoo says how much."""
    if column == "mode_connectivity" and "connectivity_tolerance" in cells:
        return -cells["connectivity_tolerance"].clip(lower=-cutoff)
    return cutoff


def _norm(picture: FloatArray, wide: bool) -> Any:
    from matplotlib.colors import AsinhNorm, LogNorm, Normalize

    low, high = float(np.nanmin(picture)), float(np.nanmax(picture))
    if low == high:  # a scale needs a width, and one value any
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    if not wide:
        return Normalize(low, high)
    if low > 0:
        return LogNorm(low, high)
    sizes = np.abs(picture[np.isfinite(picture) & (picture != 0)])
    return AsinhNorm(float(np.median(sizes)) if len(sizes) else 1.0, low, high)


def _draw_scale(axes: Axes, image: AxesImage, order_map: OrderMap) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    options: dict[str, Any] = {}
    if order_map.wide:  # plain numbers, not powers of ten
        options["format"] = FuncFormatter(lambda value, _: two_digits(value))
        if isinstance(image.norm, LogNorm):
            options["ticks"] = LogLocator(subs=(1.0, 2.0, 5.0))
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, **options)
    if order_map.wide:
        bar.ax.yaxis.set_minor_locator(NullLocator())


def _draw_border(axes: Axes, beyond: FloatArray) -> bool:
    """A line between cells on the two sides of a cut-off (1 and 0; NaN: none); whether there is any."""
    from matplotlib.collections import LineCollection

    beside = zip(*np.nonzero(np.abs(np.diff(beyond, axis=1)) == 1), strict=True)
    above = zip(*np.nonzero(np.abs(np.diff(beyond, axis=0)) == 1), strict=True)
    edges = [[(x + 0.5, y - 0.5), (x + 0.5, y + 0.5)] for y, x in beside]
    edges += [[(x - 0.5, y + 0.5), (x + 0.5, y + 0.5)] for y, x in above]
    # White below black: seen on dark cells and on light ones.
    for colour, width, order in (("white", 3.2, 2.0), ("black", 1.6, 2.1)):
        axes.add_collection(
            LineCollection(edges, colors=colour, linewidths=width, zorder=order, capstyle="projecting"), autolim=False
        )
    return bool(edges)


def name_axes(axes: Axes, card: ZooCard) -> None:
    """Names and values of load (to the right) and temperature (upwards)."""
    load, temperature = card.load, card.temperature
    names = [f"{value:g}" for value in load.values]
    axes.set_xticks(range(len(names)), names)
    if max(map(len, names)) > max(3, 36 // len(names)):  # characters that fit below a cell
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_yticks(range(len(temperature.values)), [f"{value:g}" for value in temperature.values])
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(-0.5, len(temperature.values) - 0.5)
    axes.set_xlabel(f"{load.label} (load)")
    axes.set_ylabel(f"{temperature.label} (temperature)")
