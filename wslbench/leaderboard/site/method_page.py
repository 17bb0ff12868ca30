"""A page a method: its own words, what it cost, what it scored on every task, and what its answers look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from wslbench.evaluation.result_schema import TaskRecord
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import NOTHING, Column, columns, heading, number
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.rows import Row, role_of
from wslbench.leaderboard.site.addresses import Addresses
from wslbench.leaderboard.site.bars import bar, scale_of
from wslbench.leaderboard.site.html import render
from wslbench.leaderboard.site.points import predicted_against_true
from wslbench.leaderboard.site.source import source_of
from wslbench.leaderboard.site.tables import Cell, Heading, Line, Table, share_step

_COLUMNS = ("lift", "re-grown", "gap", "fit s", "predict s", "MiB", "covers", "tier", "note")
"""Of the registered ones: those that every kind of task has, and what says whether a method was verified."""

_OF_VERIFIED = ("re-grown", "gap")


class Answers(NamedTuple):
    """What a picture shows of a method's answers on a task: a confusion matrix or points."""

    task: str
    link: str | None
    said: str
    confusion: Table | None
    points: Markup | None


class Result(NamedTuple):
    """A method on a task: the task and the row as ``board.json`` has them, and the row that columns read.

    ``ranked`` methods are on the board; ``picture`` has predicted against true values, if that is what was asked.
    """

    task: Data
    row: Data
    shown: Row
    ranked: int
    picture: Markup | None


def results_by_method(boards: Sequence[TaskBoard], data: Data) -> Mapping[str, list[Result]]:
    """What each method has results on, in the tasks' order."""
    by_id = {board.task.id: board for board in boards}
    found: dict[str, list[Result]] = {name: [] for name in data["methods"]}
    for task in data["tasks"]:
        board = by_id[task["id"]]
        records = {record.method.name: record for record in board.records}
        for row, picture in zip(task["rows"], _pictures(task, len(data["phases"])), strict=True):
            name = row["method"]
            record = records[name]
            shown = Row(
                name,
                role_of(record),
                record.metrics,
                record,
                row["rank"],
                board.audits.get(name),
                verified=board.verified.get(name),
            )
            found[name].append(Result(task, row, shown, len(board.standings.ranks), picture))
    return found


def _pictures(task: Data, phases: int) -> list[Markup | None]:
    """Of each row, what was predicted against what is true; None for other kinds of answers, and for none."""
    if task["kind"] != "accuracy_prediction":
        return [None] * len(task["rows"])
    nothing: Data = {"x": [], "y": [], "phase": []}
    points = [nothing if row["points"] is None else {**task["true"], **row["points"]} for row in task["rows"]]
    return predicted_against_true(points, f"Predicted against true {task['label']} of {task['id']}", phases)


def method_page(name: str, found: Sequence[Result], data: Data, addresses: Addresses, methods: Path) -> str:
    """The HTML of a method's page.

    Parameters
    ----------
    methods
        The folder in which files of methods are looked for.
    """
    about = data["methods"][name]
    fits, memory, parameters = (
        [row["cost"][name] for _, row, *_ in found if row["cost"][name] is not None]
        for name in ("fit_seconds", "peak_memory_bytes", "parameters")
    )
    return render(
        "method.html.j2",
        root=addresses.root,
        title=name,
        wslbench=data["wslbench"],
        about=about,
        source=source_of(methods, about["file"], about["class_name"], about["source_hash"], about["description"]),
        fit_seconds=sum(fits) if fits else None,
        memory=max(memory) / 2**20 if memory else None,
        parameters=max(parameters) if parameters else None,
        seeds=sorted({len(row["seeds"]) for _, row, *_ in found}),
        tiers=sorted({row["tier"] for _, row, *_ in found}),
        verified=_verified(found),
        standings=[
            (suite, values["mean_rank"][name], len(values["methods"]))
            for suite, values in data["aggregates"].items()
            if name in values["mean_rank"]
        ],
        table=_table(name, found, addresses),
        answers=[each for each in (_answers(each, addresses) for each in found) if each],
        failures=[(task, addresses.task(task["id"]), row) for task, row, *_ in found if row["status"] != "ok"],
    )


def _verified(found: Sequence[Result]) -> str:
    """In how far the method was verified; empty where it was not."""
    verified = [row["verified"] for _, row, *_ in found if row["verified"] is not None]
    if not verified:
        return ""
    names = ", ".join(sorted({each["attested_by"] for each in verified}))
    secrets = ", ".join(sorted({each["commitment"][:12] for each in verified}))
    memorised = sum(each["memorised"] for each in verified)
    said = f"{memorised} of them in part memorised" if memorised else "none of them memorised"
    return f"on {len(verified)} tasks, {said}; by {names}, seeds from {secrets}"


def _table(name: str, found: Sequence[Result], addresses: Addresses) -> Table:
    scales = {"": scale_of([row["metrics"][task["headline"]][:3] for task, row, *_ in found], 0.0)}
    scales["lift"] = scale_of([_lift(row) for _, row, *_ in found], 0.0)
    verified = any(row["verified"] is not None for _, row, *_ in found)
    kept = [column for column in _COLUMNS if verified or column not in _OF_VERIFIED]
    lines = []
    for task, row, shown, ranked, _ in found:
        assert shown.record is not None
        registered = _registered(shown.record.task)
        estimate = row["metrics"][task["headline"]][:3]
        worst = row["worst_phase"]
        cells = [
            Cell(task["id"], link=addresses.task(task["id"]), style="name"),
            Cell(NOTHING if row["rank"] is None else str(row["rank"]), title=f"of {ranked} ranked"),
            Cell(heading(task["headline"])),
            Cell(registered[heading(task["headline"])].text(shown), bar=bar(estimate, scales[""]), style="ranged"),
            Cell(NOTHING if worst is None else f"{number(worst['value'])} ({worst['phase']})"),
        ]
        for column in kept:
            text = registered[column].text(shown) if column in registered else NOTHING
            if column == "lift" and column in registered and task["headline"] != "lift":
                cells.append(Cell(text, bar=bar(_lift(row), scales["lift"]), style="ranged"))
            else:
                cells.append(Cell(NOTHING if column == "lift" else text))
        lines.append(Line(cells, "failed" if row["status"] != "ok" else ""))
    headings = [
        Heading("task", False),
        Heading("#", title="Rank among the methods of the task"),
        Heading("headline", False),
        Heading("score", title="With its 95 % interval over held-out units"),
        Heading("worst phase"),
        *(Heading(column, column not in ("tier", "note")) for column in kept),
    ]
    return Table(f"Results of {name}", headings, lines, "results")


@cache
def _registered(task: TaskRecord) -> Mapping[str, Column]:
    return {column.heading: column for column in columns(task)}


def _lift(row: Data) -> tuple[float | None, float | None, float | None]:
    lift = row["lift"]
    return (None, None, None) if lift is None else (lift["value"], lift["low"], lift["high"])


def _answers(found: Result, addresses: Addresses) -> Answers | None:
    task, row = found.task, found.row
    link = addresses.task(task["id"])
    said = f"{heading(task['headline'])} {number(row['metrics'][task['headline']][0])}"
    if row["confusion"] is not None:
        return Answers(task["id"], link, said, _confusion(task, row["confusion"]), None)
    return None if found.picture is None else Answers(task["id"], link, said, None, found.picture)


def _confusion(task: Data, confusion: Data) -> Table:
    """True phases down, named ones across; filled by the share of a row."""
    classes = confusion["classes"]
    lines = []
    for true, counts in zip(classes, confusion["counts"], strict=True):
        total = sum(counts)
        cells = [Cell(_count(count), style=share_step(count / total) if total else "") for count in counts]
        lines.append(Line([Cell(true, style="name"), *cells]))
    headings = [Heading("true ↓ named →", False), *(Heading(name) for name in classes)]
    return Table(f"Confusion matrix on {task['id']}", headings, lines, "heat")


def _count(count: float) -> str:
    """A mean over seeds: whole where it is whole."""
    return f"{count:.0f}" if abs(count - round(count)) < 0.05 else f"{count:.1f}"
