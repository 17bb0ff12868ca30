"""CSV and LaTeX tables: read back, they say what the board's data say."""

from __future__ import annotations

import copy
import csv
import io
import math
import re
from typing import Any

import pytest

from tests.leaderboard.site.conftest import HOSTILE, TASKS, Site
from wslbench.leaderboard.tables import CSV_COLUMNS, to_csv, to_latex

Numbers = dict[tuple[str, str, str, str], tuple[float | None, ...]]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def in_csv(text: str) -> Numbers:
    """Value, low, high and spread by task, method, metric and phase."""
    found: Numbers = {}
    for row in rows(text):
        place = (row["task"], row["method"], row["metric"], row["phase"])
        assert place not in found
        found[place] = tuple(
            None if row[name] == "" else float(row[name]) for name in ("value", "low", "high", "seed_sd")
        )
    return found


def on_board(data: dict[str, Any]) -> Numbers:
    """The same as the board has it."""
    found: Numbers = {}
    for task in data["tasks"]:
        for row in task["rows"]:
            who = (task["id"], row["method"])
            found |= {(*who, metric, ""): tuple(estimate) for metric, estimate in row["metrics"].items()}
            if row["lift"] is not None:
                found[*who, "lift", ""] = (*(row["lift"][end] for end in ("value", "low", "high")), None)
            for phase, metrics in row["per_phase"].items():
                found |= {(*who, metric, phase): tuple(estimate) for metric, estimate in metrics.items()}
    return found


def test_every_number_of_the_board_is_in_the_csv_to_the_last_digit_and_no_other(site: Site) -> None:
    assert in_csv(to_csv(site.data)) == on_board(site.data)


def test_the_csv_says_of_each_row_what_was_asked_and_who_answered(site: Site) -> None:
    text = to_csv(site.data)
    assert text.splitlines()[0] == ",".join(CSV_COLUMNS)
    tasks = {task["id"]: task for task in site.data["tasks"]}
    for row in rows(text):
        task = tasks[row["task"]]
        shown = next(each for each in task["rows"] if each["method"] == row["method"])
        assert (row["zoo"], row["target"], row["protocol"]) == (task["zoo"], task["target"], task["protocol"])
        assert row["rank"] == ("" if shown["rank"] is None else str(shown["rank"]))
        assert (row["status"], row["tier"]) == (shown["status"], shown["tier"])
        assert (float(row["coverage"]), int(row["seeds"])) == (shown["coverage"], len(shown["seeds"]))
        assert row["role"] == site.data["methods"][row["method"]]["role"]
    assert {row["method"] for row in rows(text)} >= {HOSTILE, "slow", "hyperparameters"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_spreadsheet_takes_a_name_for_a_formula(name: str, site: Site) -> None:
    data = renamed(site.data, "good", name)
    cells = {row["method"] for row in rows(to_csv(data))}
    assert f"'{name}" in cells
    assert name not in cells


def test_a_negative_number_stays_a_number(site: Site) -> None:
    data = copy.deepcopy(site.data)
    data["tasks"][0]["rows"][0]["metrics"] = {"kendall_tau": [-0.25, -0.5, -1e-17, None]}
    (row,) = [
        row
        for row in rows(to_csv(data))
        if (row["task"], row["method"], row["metric"], row["phase"])
        == (data["tasks"][0]["id"], data["tasks"][0]["rows"][0]["method"], "kendall_tau", "")
    ]
    assert (row["value"], row["low"], row["high"], row["seed_sd"]) == ("-0.25", "-0.5", "-1e-17", "")


def renamed(data: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    data = copy.deepcopy(data)
    data["methods"][new] = data["methods"].pop(old)
    for row in (row for task in data["tasks"] for row in task["rows"] if row["method"] == old):
        row["method"] = new
    for aggregate in data["aggregates"].values():
        aggregate["methods"] = [new if name == old else name for name in aggregate["methods"]]
        aggregate["mean_rank"] = {new if name == old else name: ends for name, ends in aggregate["mean_rank"].items()}
    return data


def cells(text: str) -> dict[str, list[str]]:
    """The cells of a LaTeX table by the first one of their row."""
    found = {}
    for line in text.splitlines():
        if line.endswith(r" \\"):
            first, *rest = re.split(r"(?<!\\) ?& ?", line.removesuffix(r" \\"))
            found[first.strip()] = rest
    return found


_CELL = re.compile(r"^(?:\\textbf\{(?P<bold>-?\d+\.\d{3})\}|(?P<plain>-?\d+\.\d{3})) \{\\scriptsize \[(.*), (.*)\]\}$")


def test_a_latex_table_has_the_headlines_of_its_suite_and_bold_is_above_the_floors(site: Site) -> None:
    shown = cells(to_latex(site.data, "full"))
    methods = [name.replace("\\_", "_") for name in shown["task"]]
    assert [row for row in shown if row.startswith("tiny")] == [
        task["id"] for task in site.data["tasks"] if task["id"] in site.data["suites"]["full"]
    ]
    bold = 0
    for task in site.data["tasks"]:
        results = {row["method"]: row for row in task["rows"]}
        for method, cell in zip(methods, shown[task["id"]], strict=True):
            if method not in results:
                assert cell == "--"
                continue
            row = results[method]
            if row["status"] != "ok":
                assert cell == "failed"
                continue
            found = _CELL.match(cell)
            assert found is not None, cell
            numbers = [float(found["bold"] or found["plain"]), float(found[3]), float(found[4])]
            value, low, high, _ = row["metrics"][task["headline"]]
            assert numbers == pytest.approx([value, low, high], abs=5e-3)
            assert numbers[0] == pytest.approx(value, abs=5.01e-4)
            above = row["lift"] is not None and (row["lift"]["low"] or -math.inf) > 0
            assert (found["bold"] is not None) == above
            bold += above
    assert bold
    assert "failed" in shown[TASKS[2]]


def test_a_latex_table_ends_with_the_mean_ranks_and_is_in_order_of_them(site: Site) -> None:
    shown = cells(to_latex(site.data, "full"))
    aggregate = site.data["aggregates"]["full"]
    ranks = aggregate["mean_rank"]
    said = dict(zip((name.replace("\\_", "_") for name in shown["task"]), shown["mean rank"], strict=True))
    assert {name: rank for name, rank in said.items() if rank != "--"} == {
        name: f"{ends[0]:.1f}" for name, ends in ranks.items()
    }
    values = [ranks[name][0] for name in said if name in ranks]
    assert values == sorted(values)


def test_nothing_in_a_name_is_a_command_to_latex(site: Site) -> None:
    text = to_latex(renamed(site.data, "good", r"\input{x}_50%&$#~^"), "full")
    escaped = r"\textbackslash{}input\{x\}\_50\%\&\$\#\textasciitilde{}\textasciicircum{}"
    assert escaped in cells(text)["task"]
    table = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in table}) == 1
