"""The README's numbers, and its picture, are those of the committed results."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wslbench.evaluation.floors import LEGAL_FLOORS, ORACLE
from wslbench.leaderboard.columns import with_ends

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy")


@pytest.fixture(scope="module")
def records() -> Mapping[str, Mapping[str, Any]]:
    """Of each task, each method's record."""
    found: dict[str, dict[str, Any]] = {}
    for task in TASKS:
        for path in sorted((ROOT / "leaderboard" / "results").glob(f"*/{task}.json")):
            found.setdefault(task, {})[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_table_of_the_readme_is_the_records(records: Mapping[str, Mapping[str, Any]]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {name: cells.split(" | ") for name, cells in re.findall(r"^\| `(\w+)`[^|]*\| (.+) \|$", text, re.MULTILINE)}
    methods = {name for task in TASKS for name in records[task]}
    assert methods <= set(rows)
    for name in sorted(methods):
        assert [_cell(records[task].get(name)) for task in TASKS] == rows[name], name
    order = [name for name in rows if name in records[TASKS[0]]]
    assert order == sorted(order, key=lambda name: -_headline(records[TASKS[0]][name])["value"])


def test_the_picture_of_the_readme_is_todays(records: Mapping[str, Mapping[str, Any]]) -> None:
    picture = html.unescape((ROOT / "docs" / "evaluate.svg").read_text(encoding="utf-8")).replace("\xa0", " ")
    for task in TASKS:
        for name, record in records[task].items():
            assert re.search(rf"\b{name}\b", picture), f"{name}: run `python docs/evaluate_picture.py`"
            estimate = _headline(record)
            assert with_ends(estimate["value"], estimate["low"], estimate["high"]) in picture, (task, name)


def _headline(record: Mapping[str, Any]) -> Mapping[str, float]:
    estimate: Mapping[str, float] = record["metrics"][record["task"]["headline"]]
    return estimate


def _cell(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "–"
    value, low, high = (_short(_headline(record)[end]) for end in ("value", "low", "high"))
    if low == high:
        return value
    lift = record["lift"]
    better = record["method"]["name"] not in (*LEGAL_FLOORS, ORACLE) and lift["low"] > 0
    return f"**{value} [{low}, {high}]**" if better else f"{value} [{low}, {high}]"


def _short(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00").replace("0.", ".", 1).replace("-", "−")
