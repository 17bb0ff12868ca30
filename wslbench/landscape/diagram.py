"""The phase diagram of a zoo and maps of its order parameters, as one figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wslbench.errors import LandscapeError
from wslbench.landscape.order_maps import ORDER_MAPS
from wslbench.landscape.panels import draw_map, draw_phases, panel_size, shown_grid
from wslbench.landscape.phases import PHASES
from wslbench.zoo.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wslbench.zoo import Zoo, ZooCard

PARAMETERS = ("phase", *(order_map.column for order_map in ORDER_MAPS))
"""What can be drawn, in this order."""

FORMATS = ("png", "svg")

_Panel = Callable[["Axes", "ZooCard", "pd.DataFrame"], None]


def draw_diagram(zoo: Zoo, path: Path, parameters: Sequence[str] = ()) -> list[str]:
    """Write the diagram to ``path`` (``.png`` or ``.svg``).

    Load runs to the right, temperature upwards: the hot end is at the top. A value that is missing or not finite
    leaves its cell blank. Colours run from dark to light without a turn and values stand in the cells, so that a
    print in black and white says the same.

    Parameters
    ----------
    parameters
        Which of :data:`PARAMETERS` to draw; empty: all that the zoo has.

    Returns
    -------
    list[str]
        What was drawn.

    Raises
    ------
    LandscapeError
        If the zoo has nothing to draw, lacks what was asked for, or has two cells at one place of its grid.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    cells = zoo.cells
    places = [zoo.card.load.column, zoo.card.temperature.column]
    if cells.duplicated(places).any():
        raise LandscapeError(f"zoo {zoo.name!r} has several cells of one {places[0]} and {places[1]}: not a plane grid")
    panels = _chosen(zoo, _panels(zoo.card, cells), parameters)
    columns = len(panels) if len(panels) < 3 else 2 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    width, height = panel_size(zoo.card)
    # Headings grow with the panels, so that they are still read where a large figure is shown small.
    scale = min(2.0, max(1.0, width / 6))
    style = {
        "font.size": 9 * scale,
        "axes.titlesize": 10 * scale,
        "figure.titlesize": 11 * scale,
        "xtick.labelsize": 9,  # bound by their cells, as the values are
        "ytick.labelsize": 9,
        "text.parse_math": False,  # labels are a zoo's: a dollar is a dollar
        "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
        "svg.hashsalt": "wslbench",
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(columns * width, rows * height + 0.4), layout="constrained")
        every = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, draw in zip(every, panels.values(), strict=False):
            draw(axes, zoo.card, cells)
        for axes in every[len(panels) :]:
            axes.set_axis_off()
        figure.suptitle(f"{zoo.name}: {len(cells)} cells")
        form = path.suffix.removeprefix(".").lower()
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=130, format=form, metadata={"Date": None} if form == "svg" else None)
    return list(panels)


def _panels(card: ZooCard, cells: pd.DataFrame) -> dict[str, _Panel]:
    """What there is to draw, by name."""
    panels: dict[str, _Panel] = {}
    if "phase" in cells and cells["phase"].isin(PHASES).any():
        panels["phase"] = draw_phases
    for order_map in ORDER_MAPS:
        if order_map.column in cells and np.isfinite(shown_grid(card, cells, order_map)).any():
            panels[order_map.column] = partial(draw_map, order_map=order_map)
    return panels


def _chosen(zoo: Zoo, panels: dict[str, _Panel], parameters: Sequence[str]) -> dict[str, _Panel]:
    unknown = [name for name in parameters if name not in PARAMETERS]
    if unknown:
        raise LandscapeError(f"{unknown[0]!r} cannot be drawn: use one of {', '.join(PARAMETERS)}")
    if not panels:
        raise LandscapeError(
            f"zoo {zoo.name!r} has no phases and no order parameters to draw: its table has none of "
            f"{', '.join(PARAMETERS)}"
        )
    absent = [name for name in parameters if name not in panels]
    if absent:
        raise LandscapeError(f"zoo {zoo.name!r} has no {absent[0]} to draw; it has: {', '.join(panels)}")
    return {name: panel for name, panel in panels.items() if not parameters or name in parameters}
