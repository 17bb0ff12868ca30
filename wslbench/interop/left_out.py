"""What an import left out, and why: told to the user, and kept in the zoo's card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from wslbench.foreign_text import shown
from wslbench.zoo.schema import ZooCard

ENTRY: Final = "left_out"  # of the card's recipe
_MOST_NAMES: Final = 5_000  # so that a card can still be read by eye, and by a parser with a limit


class LeftOut(NamedTuple):
    """A file or folder of the source that is not in the zoo, and the reason in a few words."""

    name: str
    reason: str


def entry(left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """For the card's recipe: how many were left out for which reason, and the first of them; nothing if none were."""
    if not left_out:
        return {}
    counts = dict(sorted(Counter(left.reason for left in left_out).items()))
    names = {shown(left.name): left.reason for left in left_out[:_MOST_NAMES]}
    return {ENTRY: {"counts": counts, "names": names}}


def told(card: ZooCard) -> str | None:
    """One line about what was left out of an imported zoo; None: nothing."""
    left_out = card.recipe.get(ENTRY)
    if left_out is None:
        return None
    counts, names = left_out["counts"], left_out["names"]
    reasons = "; ".join(f"{count} {reason}" for reason, count in counts.items())
    count = sum(counts.values())
    listed = "all are listed" if len(names) == count else f"{len(names)} of them are listed"
    return f"left out {count} ({reasons}): {_first(names)}; {listed} in zoo.yaml"


def _first(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")
