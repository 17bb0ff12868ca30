"""The phase diagrams of the zoos that the tasks are about, as the phase report draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from wslbench.annotation.report.cell_rows import cell_rows
from wslbench.annotation.report.drawing import Picture, drawable
from wslbench.annotation.report.drawing.diagram import phase_diagram
from wslbench.annotation.report.head import head
from wslbench.annotation.report.measurements import measurements
from wslbench.errors import WslbenchError
from wslbench.zoo import Zoo


class Diagram(NamedTuple):
    """A zoo and its picture; where it has none, why."""

    zoo: str
    description: str
    picture: Picture | None
    missing: str


def diagrams(names: Iterable[str], open_zoo: Callable[[str], Zoo]) -> list[Diagram]:
    """One a zoo, in order of first mention; a zoo that cannot be drawn takes no page down."""
    return [_diagram(name, open_zoo) for name in dict.fromkeys(names)]


def _diagram(name: str, open_zoo: Callable[[str], Zoo]) -> Diagram:
    try:
        zoo = open_zoo(name)
        measured = measurements(zoo)
        about, rows = head(zoo, measured), cell_rows(measured)
        return Diagram(name, about.description, phase_diagram(drawable(zoo.card), about, rows), "")
    except WslbenchError as error:
        return Diagram(name, "", None, f"no diagram: {error}")
