"""Methods as named points of a plane: score against cost, accuracy against novelty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from wslbench.leaderboard.columns import number
from wslbench.leaderboard.site.html import visible

WIDTH: Final = 720
HEIGHT: Final = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 14, 46
_LETTER: Final = 6.4  # pixels of a character of a name
_LINE: Final = 15
_MOST_TICKS: Final = 7
_MOST_NAMES: Final = 40  # beyond it names cover one another, and a hover tells them


class Place(NamedTuple):
    """One point.

    Attributes
    ----------
    low, high
        Ends of its interval, upwards.
    style
        CSS classes: its role, and ``partial`` where it has not all that others have.
    """

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    style: str = ""
    link: str | None = None
    said: str = ""


class Axis(NamedTuple):
    """A scale in words and numbers; ``log``: in powers of ten."""

    label: str
    log: bool = False


def scatter(places: Sequence[Place], x: Axis, y: Axis, label: str, reference: float | None = None) -> Markup | None:
    """The picture; None without a point.

    Parameters
    ----------
    label
        What is said of it to those who do not see it.
    reference
        A height at which a thin line runs.
    """
    places = [place for place in places if _drawable(place, x.log)]
    if not places:
        return None
    across = _Scale.over([place.x for place in places], x.log, _LEFT, WIDTH - _RIGHT)
    heights = [value for place in places for value in (place.y, place.low, place.high) if value is not None]
    up = _Scale.over([*heights, *([] if reference is None else [reference])], y.log, HEIGHT - _BOTTOM, _TOP)
    parts = [f'<svg class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{escape(label)}">']
    parts += _axes(across, up, x, y)
    if reference is not None:
        parts.append(f'<path class="ref" d="M{_LEFT} {up.at(reference):.1f}H{WIDTH - _RIGHT}"/>')
    centres = [(across.at(place.x), up.at(place.y)) for place in places]
    taken = [(left - 6, top - 6, left + 6, top + 6) for left, top in centres]
    for count, (place, (left, top)) in enumerate(zip(places, centres, strict=True)):
        name = _name_beside(place, left, top, taken) if count < _MOST_NAMES else None
        parts.append(_point(place, left, up, name))
    return Markup("".join([*parts, "</svg>"]))  # names come through `escape`


class _Scale(NamedTuple):
    low: float
    high: float
    log: bool
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], log: bool, start: float, end: float) -> _Scale:
        low, high = (math.log10(value) if log else value for value in (min(values), max(values)))
        slack = 0.06 * (high - low) or (0.5 if log else 0.05 * abs(low) or 0.5)
        return cls(low - slack, high + slack, log, start, end)

    def at(self, value: float) -> float:
        shown = math.log10(value) if self.log else value
        return self.start + (shown - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            exponents = range(math.ceil(self.low), math.floor(self.high) + 1)
            factors = (1,) if len(exponents) > 2 else (1, 2, 5)
            every = -(-len(exponents) // _MOST_TICKS)
            around = range(math.floor(self.low), math.floor(self.high) + 1)
            wanted = exponents[::every] if len(factors) == 1 else around
            ticks = [factor * 10.0**exponent for exponent in wanted for factor in factors]
            return [tick for tick in ticks if self.low <= math.log10(tick) <= self.high]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 3))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (factor * step) <= _MOST_TICKS)
        first = math.ceil(self.low / step)
        return [count * step for count in range(first, math.floor(self.high / step) + 1)]


def _drawable(place: Place, log: bool) -> bool:
    return math.isfinite(place.x) and math.isfinite(place.y) and (place.x > 0 or not log)


def _axes(across: _Scale, up: _Scale, x: Axis, y: Axis) -> list[str]:
    base = HEIGHT - _BOTTOM
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{base}H{WIDTH - _RIGHT}"/>']
    for tick in across.ticks():
        at = across.at(tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {base}V{_TOP}"/>')
        parts.append(f'<text x="{at:.1f}" y="{base + 17}" text-anchor="middle">{tick:g}</text>')
    for tick in up.ticks():
        at = up.at(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{round(tick, 9):g}</text>')
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(x.label)}</text>')
    parts.append(
        f'<text x="14" y="{_TOP}" text-anchor="end" transform="rotate(-90 14 {_TOP})">{escape(y.label)}</text>'
    )
    return parts


def _name_beside(
    place: Place, x: float, y: float, taken: list[tuple[float, float, float, float]]
) -> tuple[float, float, str] | None:
    """Where a point's name has room: beside it, above, below; None where it has none (a hover tells it)."""
    width = _LETTER * len(place.name)
    for left, middle, anchor in (
        (x + 9, y, "start"),
        (x - 9 - width, y, "end"),
        (x - width / 2, y - _LINE, "middle"),
        (x - width / 2, y + _LINE, "middle"),
        (x + 6 - width, y - _LINE, "end"),
        (x + 6 - width, y + _LINE, "end"),
        (x - 6, y - _LINE, "start"),
        (x - 6, y + _LINE, "start"),
    ):
        box = (left, middle - _LINE / 2, left + width, middle + _LINE / 2)
        inside = box[0] >= _LEFT and box[2] <= WIDTH - 2 and box[1] >= 0 and box[3] <= HEIGHT - _BOTTOM
        if inside and not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken
        ):
            taken.append(box)
            return {"start": left, "end": left + width, "middle": x}[anchor], middle + 4, anchor
    return None


def _point(place: Place, x: float, up: _Scale, name: tuple[float, float, str] | None) -> str:
    y = up.at(place.y)
    parts = [f"<title>{escape(visible(place.said or f'{place.name}: {number(place.y)}'))}</title>"]
    if place.low is not None and place.high is not None:
        parts.append(f'<path d="M{x:.1f} {up.at(place.low):.1f}V{up.at(place.high):.1f}"/>')
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
    if name is not None:
        left, base, anchor = name
        parts.append(f'<text x="{left:.1f}" y="{base:.1f}" text-anchor="{anchor}">{escape(visible(place.name))}</text>')
    inside = "".join(parts)
    if place.link is None:
        return f'<g class="point {place.style}">{inside}</g>'
    return f'<a class="point {place.style}" href="{escape(place.link)}">{inside}</a>'
