"""The figures of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wslbench.annotation.report.drawing.diagram import phase_diagram
from wslbench.annotation.report.drawing.histograms import certainty_histogram, cutoff_histograms
from wslbench.annotation.report.drawing.maps import order_parameter_maps
from wslbench.annotation.report.drawing.scatters import hessian_scatter, kind_scatter
from wslbench.annotation.report.drawing.shares import agreement_dots, threshold_bars
from wslbench.annotation.report.drawing.style import Picture
from wslbench.annotation.report.record import printable

if TYPE_CHECKING:
    from wslbench.annotation.report.contents import Contents
    from wslbench.annotation.report.measurements import Measurements
    from wslbench.zoo import ZooCard
    from wslbench.zoo.schema import Axis

__all__ = ["Picture", "draw_pictures", "drawable"]

_LONGEST_LABEL = 60


def draw_pictures(measured: Measurements, contents: Contents) -> dict[str, list[Picture]]:
    """Every figure that the zoo has the numbers for, by section of the page."""
    card = drawable(measured.card)
    kinds = {kind: section for kind, section in contents.kinds.items() if section is not None}
    return {
        "diagram": [phase_diagram(card, contents.head, contents.cells)],
        "maps": order_parameter_maps(measured, card),
        "cutoffs": cutoff_histograms(contents.cutoffs, measured),
        "thresholds": threshold_bars(contents.thresholds) if contents.thresholds is not None else [],
        **{kind: [kind_scatter(kind, section)] for kind, section in kinds.items()},
        "seeds": [agreement_dots(contents.seeds)] if contents.seeds.rows else [],
        "certainty": [certainty_histogram(contents.certainty)] if contents.certainty is not None else [],
        "hessian": [hessian_scatter(check, measured) for check in contents.hessian],
    }


def drawable(card: ZooCard) -> ZooCard:
    """The card with labels that an SVG can hold and a panel has room for."""
    return card.model_copy(update={"load": _shortened(card.load), "temperature": _shortened(card.temperature)})


def _shortened(axis: Axis) -> Axis:
    label = printable(axis.label)
    return axis.model_copy(
        update={"label": label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"}
    )
