"""The phase diagrams of the zoos that the tasks are about, as the phase report draws them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from wslbench.annotation.report.cell_rows import cell_rows
from wslbench.annotation.report.drawing import Picture, drawable
from wslbench.annotation.report.drawing.diagram import phase_diagram
from wslbench.annotation.report.head import head
from wslbench.annotation.report.measurements import measurements
from wslbench.errors import WslbenchError
from wslbench.zoo import Zoo

_PATH: Final = re.compile(r' d="([^"]*)"')
_DIGITS: Final = re.compile(r"(\.\d\d)\d+")


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
        picture = phase_diagram(drawable(zoo.card), about, rows)
        picture = picture._replace(light=_slim(picture.light), dark=_slim(picture.dark))
        return Diagram(name, about.description, picture, "")
    except WslbenchError as error:
        return Diagram(name, "", None, f"no diagram: {error}")


def _slim(svg: str) -> str:
    """The same picture with paths on one line, to a hundredth of a point: a fourth less."""

    def slim(found: re.Match[str]) -> str:
        path = _DIGITS.sub(r"\1", " ".join(found[1].split()))
        return f' d="{path}"'

    return _PATH.sub(slim, svg)
