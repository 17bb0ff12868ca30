"""What builders ask of their arguments, in one wording: the argument's name, its value, what it should be."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_DEPTH = 1000


def positive(**sizes: object) -> None:
    """Raise ``ValueError`` unless every size is an integer of at least 1."""
    for name, size in sizes.items():
        # bool is an int to Python, and no size to anybody.
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {size!r}")


def within(name: str, value: object, least: float, below: float) -> None:
    """Raise ``ValueError`` unless ``value`` is a number in [``least``, ``below``)."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value < below:
        raise ValueError(f"{name} must be a number of at least {least:g} and below {below:g}, not {value!r}")


def depth_within_reason(**depths: int) -> None:
    """Raise ``ValueError`` if a network would have so many layers that it takes minutes to be described."""
    for name, depth in depths.items():
        if depth > _MAX_DEPTH:
            raise ValueError(f"{name} must be at most {_MAX_DEPTH}, not {depth}")


def one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise ``ValueError`` unless ``value`` is among ``choices``."""
    known = list(choices)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, not {value!r}")


def divides(divisor_name: str, divisor: int, name: str, number: int) -> None:
    """Raise ``ValueError`` unless ``divisor`` divides ``number``."""
    if number % divisor:
        raise ValueError(f"{divisor_name} must divide {name}, but {divisor} does not divide {number}")
