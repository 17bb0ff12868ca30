"""Numbers that a zoo's card says its order parameters were measured with, wherever in it they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wslbench.zoo import ZooCard


def annotation_record(card: ZooCard) -> Mapping[str, Any]:
    """How order parameters were measured, as the card says; empty for zoos annotated before cards said it."""
    return card.annotation or {}


def setting(card: ZooCard, *names: str) -> float | None:
    """The first number of one of these names in the card's record of the annotation, else in its recipe."""
    for record in (annotation_record(card), card.recipe):
        for path, value in leaves(record):
            if path[-1] in names and isinstance(value, (int, float)) and not isinstance(value, bool):
                return float(value)
    return None


def leaves(record: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of everything in a nested record that is not itself a map."""
    for name, value in record.items():
        here = (*path, str(name))
        if isinstance(value, Mapping) and value:
            yield from leaves(value, here)
        else:
            yield here, value
