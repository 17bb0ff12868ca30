"""A map of every quantity that the zoo has, over load and temperature."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from wslbench.annotation.report.drawing.style import Picture, picture
from wslbench.annotation.report.pair_values import TEST_CONNECTIVITY
from wslbench.landscape.order_maps import ORDER_MAPS, OrderMap
from wslbench.landscape.panels import draw_map, panel_size, shown_grid

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from wslbench.annotation.report.measurements import Measurements
    from wslbench.zoo import ZooCard

_CHARACTERS_AN_INCH = 9
"""Of a title."""

_BY_COLUMN = {order_map.column: order_map for order_map in ORDER_MAPS}


def _like(known: str, column: str, title: str) -> OrderMap:
    return _BY_COLUMN[known]._replace(column=column, title=title)


REPORT_MAPS = (
    *ORDER_MAPS,
    _like("train_loss", "test_loss", "log10 test loss"),
    _like("mode_connectivity", TEST_CONNECTIVITY, "mode connectivity in test error (pp)"),
    _like("mode_connectivity", "linear_connectivity", "straight-line connectivity (pp)"),
    _like("mode_connectivity", "aligned_linear_connectivity", "straight-line connectivity after alignment (pp)"),
    _like("mode_connectivity", "longer_mode_connectivity", "mode connectivity, curves twice as long (pp)"),
    _like("hessian_trace", "hessian_trace_test", "Hessian trace on test data"),
    _like("hessian_top_eigenvalue", "hessian_top_eigenvalue_test", "top Hessian eigenvalue on test data"),
)
"""The order parameters first, then what stands beside them."""


def order_parameter_maps(measured: Measurements, card: ZooCard) -> list[Picture]:
    """One picture a quantity of which any cell has a value."""
    frozen = measured.cutoffs.model_dump() if measured.cutoffs is not None else {}
    card = card.model_copy(update={"phase_rule": {"cutoffs": frozen}})
    cells = measured.cells.reset_index()
    return [
        _map(card, cells, order_map)
        for order_map in REPORT_MAPS
        if order_map.column in cells and np.isfinite(shown_grid(card, cells, order_map)).any()
    ]


def _map(card: ZooCard, cells: pd.DataFrame, order_map: OrderMap) -> Picture:
    shown = order_map.shown(cells[order_map.column].to_numpy(dtype=np.float64))
    shown = shown[np.isfinite(shown)]
    name = f"map-{order_map.column.replace('_', '-')}"
    alt = (
        f"Map of {order_map.title} by {card.load.label} (to the right) and {card.temperature.label} (upwards): "
        f"{len(shown)} cells, from {order_map.text(float(shown.min()))} over {order_map.text(float(np.median(shown)))} "
        f"(median) to {order_map.text(float(shown.max()))}. Values are in cells.csv."
    )
    draw = partial(_draw, card=card, cells=cells, order_map=order_map)
    return picture(name, order_map.title, alt, panel_size(card), draw, dense=True)


def _draw(figure: Figure, card: ZooCard, cells: pd.DataFrame, order_map: OrderMap) -> None:
    axes = figure.subplots()
    draw_map(axes, card, cells, order_map)
    axes.set_title(textwrap.fill(axes.get_title(loc="left"), int(_CHARACTERS_AN_INCH * panel_size(card)[0])))
