"""The front page: every suite at a glance, every task in a line, the zoos, and what is not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from wslbench.evaluation.floors import LEGAL_FLOORS, ORACLE
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import NOTHING, heading, number
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.site.addresses import Addresses, file_names, zoo_anchor
from wslbench.leaderboard.site.diagrams import Diagram
from wslbench.leaderboard.site.html import render
from wslbench.leaderboard.site.suite_tables import (
    cost_picture,
    headline_map,
    improvement_map,
    recall_map,
    standings_of,
    standings_table,
)
from wslbench.leaderboard.site.tables import Cell, Heading, Line, Table
from wslbench.leaderboard.site.task_table import task_table
from wslbench.leaderboard.site.words import KINDS
from wslbench.tasks.metrics.registry import METRICS

_SHOWN_WHOLE = 4
"""Tasks of a suite, up to which their own tables stand on the front page."""


class Suite(NamedTuple):
    """What the page shows of a suite."""

    name: str
    anchor: str
    tasks: int
    methods: int
    stability: float | None
    standings: Table
    headlines: Table
    improvement: Table | None
    recall: Table | None
    cost: Markup | None
    whole: Sequence[tuple[str, str | None, Table]]


class Zoo(NamedTuple):
    """A zoo's diagram, and the files of its picture."""

    diagram: Diagram
    anchor: str
    light: str
    dark: str


def front_page(
    boards: Sequence[TaskBoard], data: Data, addresses: Addresses, drawn: Sequence[Diagram], first: str
) -> str:
    """The HTML of ``index.html``.

    Parameters
    ----------
    first
        The suite that is seen first.
    """
    names = sorted(data["suites"], key=lambda name: name != first)
    return render(
        "index.html.j2",
        root=addresses.root,
        title="wslbench leaderboard",
        wslbench=data["wslbench"],
        results=sum(len(task["rows"]) for task in data["tasks"]),
        methods=sum(about["role"] == "method" for about in data["methods"].values()),
        tasks=len(data["tasks"]),
        suites=[_suite(name, boards, data, addresses) for name in names],
        table=_tasks_table(data, addresses),
        zoos=[_zoo(diagram) for diagram in drawn],
        problems=data["problems"],
        notes=data["notes"],
    )


def picture_files(drawn: Sequence[Diagram]) -> Mapping[str, str]:
    """SVG files of the zoos' diagrams, by path in the site."""
    files: dict[str, str] = {}
    for zoo in map(_zoo, drawn):
        if zoo.diagram.picture is not None:
            files |= {zoo.light: zoo.diagram.picture.light, zoo.dark: zoo.diagram.picture.dark}
    return files


def _zoo(diagram: Diagram) -> Zoo:
    anchor = zoo_anchor(diagram.zoo)
    return Zoo(diagram, anchor, f"zoos/{anchor}.svg", f"zoos/{anchor}-dark.svg")


def _suite(name: str, boards: Sequence[TaskBoard], data: Data, addresses: Addresses) -> Suite:
    standings = standings_of(data, name)
    aggregate = data["aggregates"].get(name)
    members = set(data["suites"][name])
    tasks = {task["id"]: task for task in data["tasks"]}
    whole = [
        (board.task.id, addresses.task(board.task.id), task_table(board, tasks[board.task.id], addresses))
        for board in boards
        if board.task.id in members and len(members) <= _SHOWN_WHOLE
    ]
    return Suite(
        name,
        f"suite-{file_names([name], 'x')[name].removesuffix('.x')}",
        len(members),
        len(standings),
        None if aggregate is None else aggregate["stability"],
        standings_table(standings, name, addresses),
        headline_map(standings, data, name, addresses),
        improvement_map(data, name, addresses),
        recall_map(standings, data, name, addresses),
        cost_picture(standings, name, addresses),
        whole,
    )


def _tasks_table(data: Data, addresses: Addresses) -> Table:
    headings = [
        Heading("task", False),
        Heading("asks for", False),
        Heading("split", False),
        Heading("headline", False),
        Heading("best method", False, "The first of the first group of ties"),
        Heading("score"),
        Heading("best legal floor"),
        Heading("oracle", title="Told load and temperature, which methods must not see"),
        Heading("resolves", title="Differences below about this cannot be told apart"),
        Heading("results"),
    ]
    return Table("All tasks", headings, [_task_line(task, addresses) for task in data["tasks"]], "results")


def _task_line(task: Data, addresses: Addresses) -> Line:
    name = task["headline"]
    sign = 1 if METRICS[name].higher_is_better else -1
    scores = {
        row["method"]: row["metrics"][name][0]
        for row in task["rows"]
        if row["status"] == "ok" and row["metrics"][name][0] is not None
    }
    floors = [scores[floor] for floor in LEGAL_FLOORS if floor in scores]
    best = next((row for row in task["rows"] if row["rank"] == 1), None)
    return Line(
        [
            Cell(task["id"], link=addresses.task(task["id"]), style="name"),
            Cell(f"{task['label']} ({KINDS[task['kind']]})"),
            Cell(task["protocol"]),
            Cell(heading(name)),
            Cell(NOTHING) if best is None else Cell(best["method"], link=addresses.method(best["method"])),
            Cell(NOTHING if best is None else number(best["metrics"][name][0])),
            Cell(number(sign * max(sign * value for value in floors)) if floors else NOTHING),
            Cell(number(scores.get(ORACLE))),
            Cell(number(task["resolvable"])),
            Cell(str(len(task["rows"]))),
        ]
    )
