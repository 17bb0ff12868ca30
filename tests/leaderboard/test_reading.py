"""What people wrote of results: every number with an interval is one that the records have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wslbench.leaderboard.markdown import reading_of

ROOT = Path(__file__).resolve().parents[2]
LEADERBOARD = ROOT / "leaderboard"
NUMBER = r"−?\d?\.\d\d"
ESTIMATE = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")

COUNTS = re.compile(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)

Estimate = tuple[str, str, str]


@pytest.mark.parametrize("page", ["leaderboard/README.md", "README.md", "docs/tasks.md", "docs/symmetries.md"])
def test_every_interval_that_is_written_is_one_of_a_record(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.startswith("leaderboard/"):
        text = reading_of(text)  # the tables below are written from the records, and tested elsewhere
    found = [match.groups() for match in ESTIMATE.finditer(" ".join(text.split()))]
    assert found
    known = {_shown(*each) for path in LEADERBOARD.glob("results/**/*.json") for each in _estimates(_read(path))}
    assert [each for each in found if each not in known] == []


def test_the_counts_of_the_reading_are_those_of_the_records() -> None:
    reading = reading_of((LEADERBOARD / "README.md").read_text(encoding="utf-8"))
    rows = COUNTS.findall(reading)
    assert len(rows) > 4
    for method, *said in rows:
        records = [_read(path) for path in LEADERBOARD.glob(f"results/{method}/*.json")]
        lifts = [record["lift"] for record in records if record["task"]["kind"] != "weight_generation"]
        ahead, behind = sum(lift["low"] > 0 for lift in lifts), sum(lift["high"] < 0 for lift in lifts)
        assert (method, *map(int, said)) == (method, len(lifts), ahead, behind)


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
