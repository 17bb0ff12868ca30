"""A page a task: what it asks, how it is split, what floors and ceilings there are, and who does how well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from wslbench.evaluation.floors import LEGAL_FLOORS
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import heading, number, seconds
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.site.addresses import Addresses
from wslbench.leaderboard.site.html import render
from wslbench.leaderboard.site.scatter import Axis, Place, scatter
from wslbench.leaderboard.site.tables import Cell, Heading, Line, Table, share_step
from wslbench.leaderboard.site.task_table import task_table
from wslbench.leaderboard.site.words import CEILINGS, KINDS, PROTOCOLS
from wslbench.tasks.metrics.registry import METRICS


def task_page(board: TaskBoard, data: Data, task: Data, addresses: Addresses) -> str:
    """The HTML of a task's page."""
    metric = METRICS[task["headline"]]
    return render(
        "task.html.j2",
        root=addresses.root,
        title=task["id"],
        wslbench=data["wslbench"],
        task=task,
        kind=KINDS[task["kind"]],
        protocol=PROTOCOLS.get(task["protocol"], ""),
        metric=metric,
        zoo_link=addresses.zoo(task["zoo"]),
        tested_link=None if task["tested_on"] is None else addresses.zoo(task["tested_on"]),
        siblings=_siblings(data, task, addresses),
        floors=_floors(task, addresses),
        ceilings=[
            (name, CEILINGS.get(name, ""), metrics[task["headline"]])
            for name, metrics in task["ceilings"].items()
            if task["headline"] in metrics
        ],
        suites=[name for name, members in data["suites"].items() if task["id"] in members],
        left_out_phases=sorted({phase for absent in task["absent_phases"].values() for phase in absent}),
        table=task_table(board, task, addresses),
        phases=phase_table(task, data, addresses),
        cost=cost_picture(task, data, addresses),
        novelty=_novelty_picture(task, data, addresses),
        comparators=_comparator_table(task),
        failures=[(row, addresses.method(row["method"])) for row in task["rows"] if row["status"] != "ok"],
        warnings=_warnings(task["rows"]),
    )


def _floors(task: Data, addresses: Addresses) -> list[tuple[str, str | None, Sequence[float | None]]]:
    """Legal floors with a value, the best one first."""
    sign = -1 if METRICS[task["headline"]].higher_is_better else 1
    found = [
        (row["method"], addresses.method(row["method"]), row["metrics"][task["headline"]])
        for row in task["rows"]
        if row["method"] in LEGAL_FLOORS and row["metrics"][task["headline"]][0] is not None
    ]
    return sorted(found, key=lambda each: sign * each[2][0])


def phase_table(task: Data, data: Data, addresses: Addresses) -> Table | None:
    """The heat map of phases: recall, or error over the target's standard deviation; darker is better."""
    rows = [row for row in task["rows"] if row["per_phase"]]
    metric = "recall" if task["kind"] == "phase_classification" else "mae_over_sd"
    present = {phase for row in rows for phase, values in row["per_phase"].items() if metric in values}
    if not present:
        return None
    phases = [phase for phase in data["phases"] if phase in present]
    lines = []
    for row in rows:
        cells = [Cell(row["method"], link=addresses.method(row["method"]), style="name")]
        for phase in phases:
            value, low, high, _ = row["per_phase"].get(phase, {}).get(metric, (None, None, None, None))
            step = share_step(value if metric == "recall" or value is None else max(0.0, 1 - value / 1.5))
            title = "" if low is None or high is None else f"[{number(low)}, {number(high)}]"
            cells.append(Cell(number(value), style=step, title=title))
        lines.append(Line(cells, _style(data, row)))
    headings = [Heading("method", False), *(Heading(phase) for phase in phases)]
    return Table(f"{heading(metric)} by phase", headings, lines, "heat")


def cost_picture(task: Data, data: Data, addresses: Addresses) -> Markup | None:
    """The headline against seconds of fit and predict."""
    places = []
    for row in task["rows"]:
        value, low, high, _ = row["metrics"][task["headline"]]
        cost = seconds_of(row)
        if row["status"] == "ok" and value is not None and cost is not None:
            name = row["method"]
            said = f"{name}: {number(value)}, {seconds(cost)} s"
            places.append(Place(name, cost, value, low, high, _style(data, row), addresses.method(name), said))
    axis = Axis("seconds of fit and predict, all folds, a seed", log=True)
    return scatter(places, axis, Axis(heading(task["headline"])), f"Score against cost on {task['id']}")


def seconds_of(row: Data) -> float | None:
    """Seconds of fit and predict; None where nothing ran."""
    fit, predict = row["cost"]["fit_seconds"], row["cost"]["predict_seconds"]
    return None if fit is None or predict is None else float(fit + predict)


def _siblings(data: Data, task: Data, addresses: Addresses) -> list[tuple[str, str | None]]:
    """The same target under other protocols."""
    return [
        (other["protocol"], addresses.task(other["id"]))
        for other in data["tasks"]
        if (other["zoo"], other["target"]) == (task["zoo"], task["target"]) and other["id"] != task["id"]
    ]


def _novelty_picture(task: Data, data: Data, addresses: Addresses) -> Markup | None:
    """Accuracy against novelty of generators, comparators and real networks."""
    if task["kind"] != "weight_generation":
        return None
    places = [
        Place(name, metrics["novelty"][0], metrics["accuracy"][0], style=style)
        for style, found in (("comparator", task["comparators"]), ("ceiling", task["ceilings"]))
        for name, metrics in found.items()
    ]
    for row in task["rows"]:
        (novelty, *_), (accuracy, *_) = row["metrics"]["novelty"], row["metrics"]["accuracy"]
        if novelty is not None and accuracy is not None:
            name = row["method"]
            places.append(Place(name, novelty, accuracy, style=_style(data, row), link=addresses.method(name)))
    label = f"Accuracy against functional novelty on {task['id']}"
    across = Axis("functional novelty (0: a copy, 1: a fresh seed)")
    return scatter(places[::-1], across, Axis("accuracy"), label)


def _comparator_table(task: Data) -> Table | None:
    if not task["comparators"]:
        return None
    names = list(dict.fromkeys(name for metrics in task["comparators"].values() for name in metrics))
    headings = [Heading("comparator", False), *(Heading(heading(name)) for name in names)]
    lines = [
        Line([Cell(name, style="name"), *(Cell(number(metrics.get(metric, [None])[0])) for metric in names)])
        for name, metrics in task["comparators"].items()
    ]
    return Table("What draws are held against", headings, lines)


def _warnings(rows: Sequence[Data]) -> list[tuple[str, str]]:
    return [(row["method"], warning) for row in rows for warning in row["warnings"]]


def _style(data: Data, row: Data) -> Any:
    return data["methods"][row["method"]]["role"]
