"""The phase diagram of a zoo and maps of its order parameters, as one figure; readable without colour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wslbench.errors import LandscapeError
from wslbench.landscape.phases import PHASES
from wslbench.zoo.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wslbench.zoo import Zoo

# Okabe and Ito's colours for the colour-blind, lightened; every cell carries its name besides.
_COLOURS = {"I": "#f2c6a0", "II": "#f7e08a", "III": "#b9d8ee", "IV-A": "#a9dcc4", "IV-B": "#5fb894"}
_CERTAIN_FROM = 0.8


def draw_phase_diagram(zoo: Zoo, path: Path) -> None:
    """Write the diagram to ``path`` (``.png`` or ``.svg``).

    Load runs to the right, temperature upwards: the hot end is at the top. An unfinished cell is crossed
    out, a label with a probability below .8 stands in italics, a cell without a phase is blank.

    Raises
    ------
    LandscapeError
        If the zoo has no phases.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    cells = zoo.cells
    if zoo.card.phase_rule is None or not cells["phase"].isin(PHASES).any():
        raise LandscapeError(
            f"zoo {zoo.name!r} has no phases to draw: `wslbench zoo info {zoo.name}` shows what it has"
        )
    # Text stays text in an SVG: it can be searched and read aloud.
    with mpl.rc_context({"font.size": 9, "axes.titlesize": 10, "svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 8.6), layout="constrained")
        (phases, loss), (connectivity, cka) = figure.subplots(2, 2)
        _draw_phases(phases, zoo, cells)
        _draw_map(loss, zoo, cells, np.log10(cells["train_loss"]), "log10 train loss", "{:.1f}")
        _draw_map(connectivity, zoo, cells, cells["mode_connectivity"], "mode connectivity (pp)", "{:.0f}", centre=0.0)
        _draw_map(cka, zoo, cells, cells["cka"], "CKA", "{:.2f}")
        figure.suptitle(f"{zoo.name}: {len(cells)} cells")
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=130, format=path.suffix.removeprefix("."))


def _grid(zoo: Zoo, cells: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Values by temperature (rows, cold to hot) and load (columns)."""
    load, temperature = zoo.card.load, zoo.card.temperature
    frame = cells.assign(_value=values.to_numpy())
    table = frame.pivot(index=temperature.column, columns=load.column, values="_value")
    return table.reindex(index=temperature.values, columns=load.values)


def _draw_axes(axes: Axes, zoo: Zoo, title: str) -> None:
    load, temperature = zoo.card.load, zoo.card.temperature
    axes.set_xticks(range(len(load.values)), [f"{value:g}" for value in load.values])
    axes.set_yticks(range(len(temperature.values)), [f"{value:g}" for value in temperature.values])
    axes.set_xlabel(f"{load.label} (load)")
    axes.set_ylabel(f"{temperature.label} (temperature)")
    axes.set_title(title)


def _draw_phases(axes: Axes, zoo: Zoo, cells: pd.DataFrame) -> None:
    from matplotlib.colors import ListedColormap

    index = cells["phase"].map({phase: number for number, phase in enumerate(PHASES)}).astype(float)
    picture = np.ma.masked_invalid(_grid(zoo, cells, index).to_numpy())
    axes.imshow(picture, cmap=ListedColormap([_COLOURS[p] for p in PHASES]), vmin=-0.5, vmax=4.5, origin="lower")
    axes.set_aspect("auto")
    probability = _grid(zoo, cells, cells["phase_probability"]).to_numpy()
    unfinished = _grid(zoo, cells, cells["unfinished"].astype(float)).to_numpy()
    for (row, column), number in np.ndenumerate(picture):
        if np.ma.is_masked(number):
            continue
        certain = probability[row, column] >= _CERTAIN_FROM
        style = {"style": "normal", "weight": "bold"} if certain else {"style": "italic", "alpha": 0.75}
        axes.text(column, row, PHASES[int(number)], ha="center", va="center", size=8, **style)
        if unfinished[row, column]:
            axes.plot([column - 0.5, column + 0.5], [row - 0.5, row + 0.5], color="black", lw=0.7, alpha=0.6)
    counts = cells.loc[~cells["unfinished"], "phase"].value_counts()
    summary = ", ".join(f"{phase} {counts.get(phase, 0)}" for phase in PHASES)
    _draw_axes(axes, zoo, f"phase (finished cells: {summary};\nitalics: probability < .8; struck: unfinished)")


def _draw_map(
    axes: Axes, zoo: Zoo, cells: pd.DataFrame, values: pd.Series, title: str, form: str, centre: float | None = None
) -> None:
    from matplotlib.colors import CenteredNorm

    grid = _grid(zoo, cells, values).to_numpy(dtype=np.float64)
    norm = None if centre is None else CenteredNorm(centre)
    image = axes.imshow(grid, cmap="viridis" if centre is None else "RdBu", norm=norm, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            colour = "white" if dark else "black"
            axes.text(column, row, form.format(value), ha="center", va="center", size=6.5, color=colour)
    _draw_axes(axes, zoo, title)
