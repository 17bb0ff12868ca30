"""What people wrote above the tables: every number with an interval is one that the records have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wslbench.leaderboard.markdown import reading_of

LEADERBOARD = Path(__file__).resolve().parents[2] / "leaderboard"
NUMBER = r"−?\d?\.\d\d"
ESTIMATE = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")

Estimate = tuple[str, str, str]


def test_every_interval_of_the_reading_is_one_of_a_record() -> None:
    reading = reading_of((LEADERBOARD / "README.md").read_text(encoding="utf-8"))
    found = [match.groups() for match in ESTIMATE.finditer(" ".join(reading.split()))]
    assert len(found) > 10
    known = {_shown(*each) for path in LEADERBOARD.glob("results/**/*.json") for each in _estimates(_read(path))}
    assert [each for each in found if each not in known] == []


def _estimates(node: Any) -> Iterator[tuple[float, float, float]]:
    """Every value with its two ends, and the same seen from the other side: what falls by .1 rises by −.1."""
    if isinstance(node, dict):
        value, low, high = node.get("value", node.get("score_drop")), node.get("low"), node.get("high")
        if isinstance(value, float) and isinstance(low, float) and isinstance(high, float):
            yield value, low, high
            yield -value, -high, -low
        for child in node.values():
            yield from _estimates(child)
    elif isinstance(node, list):
        for child in node:
            yield from _estimates(child)


def _shown(value: float, low: float, high: float) -> Estimate:
    shown = [f"{each:.2f}".replace("-0.00", "0.00").replace("0.", ".", 1) for each in (value, low, high)]
    one, two, three = (each.replace("-", "−") for each in shown)
    return one, two, three


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
