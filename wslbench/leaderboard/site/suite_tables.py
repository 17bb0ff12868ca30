"""A suite at a glance: where methods stand over its tasks, each headline as a heat map, and recall by phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from wslbench.leaderboard.across import MOST_SHOWN
from wslbench.leaderboard.columns import NOTHING, heading, number, seconds, with_ends
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.site.addresses import Addresses
from wslbench.leaderboard.site.bars import Ends, Scale, bar, scale_of
from wslbench.leaderboard.site.scatter import Axis, Place, scatter
from wslbench.leaderboard.site.tables import Cell, Heading, Line, Table, lift_step, share_step
from wslbench.leaderboard.site.task_page import seconds_of

_BAR_METHODS = 400  # beyond it a page of intervals says nothing that numbers do not


@dataclass(frozen=True)
class Standing:
    """A method over the tasks of a suite.

    Attributes
    ----------
    rows
        Its row of each task that it has a result on.
    lifts
        Of those that did not fail.
    """

    name: str
    role: str
    rows: Mapping[str, Data]
    mean_rank: Ends
    mean_rank_over_tasks: Ends
    first: float | None
    tasks: int

    @property
    def lifts(self) -> list[Data]:
        return [row["lift"] for row in self.rows.values() if row["lift"] is not None and row["status"] == "ok"]

    @property
    def median_lift(self) -> float | None:
        found = [lift["value"] for lift in self.lifts if lift["value"] is not None]
        return median(found) if found else None

    @property
    def seconds(self) -> float | None:
        found = [cost for row in self.rows.values() if (cost := seconds_of(row)) is not None]
        return median(found) if found else None

    @property
    def style(self) -> str:
        return self.role if len(self.rows) == self.tasks else f"{self.role} partial"


@dataclass(frozen=True)
class SuiteColumn:
    """A column of the standings: its heading, its meaning, what stands under it, and the interval to be drawn."""

    heading: str
    title: str
    text: Callable[[Standing], str]
    ends: Callable[[Standing], Ends] | None = None


COLUMNS: Sequence[SuiteColumn] = (
    SuiteColumn(
        "mean rank ↓",
        "Mean over the suite's tasks of the rank among all methods that have them all, with its 95 % interval over "
        "held-out units",
        lambda standing: with_ends(*standing.mean_rank),
        lambda standing: standing.mean_rank,
    ),
    SuiteColumn(
        "on other tasks",
        "The mean rank with its 95 % interval if other targets had been asked for as well, each with all its splits",
        lambda standing: with_ends(*standing.mean_rank_over_tasks),
        lambda standing: standing.mean_rank_over_tasks,
    ),
    SuiteColumn(
        "first %",
        "How often its mean rank is the lowest when tasks and held-out units are drawn anew",
        lambda standing: NOTHING if standing.first is None else f"{100 * standing.first:.0f}",
    ),
    SuiteColumn(
        "median lift",
        "Median over its tasks of the headline less that of the best legal floor",
        lambda standing: number(standing.median_lift),
    ),
    SuiteColumn(
        "better",
        "On how many tasks the interval of the lift lies above 0",
        lambda standing: _count(standing.lifts, 1),
    ),
    SuiteColumn(
        "worse",
        "On how many tasks the interval of the lift lies below 0",
        lambda standing: _count(standing.lifts, -1),
    ),
    SuiteColumn("tasks", "How many of the suite's tasks it has a result on", lambda standing: str(len(standing.rows))),
    SuiteColumn(
        "failed",
        "On how many it failed",
        lambda standing: str(sum(row["status"] != "ok" for row in standing.rows.values())),
    ),
    SuiteColumn("s a task", "Median seconds of fit and predict, a seed", lambda standing: seconds(standing.seconds)),
)


def standings_of(data: Data, suite: str) -> list[Standing]:
    """Everyone with a result in a suite: by mean rank, then those that lack tasks, by how many they have."""
    members = set(data["suites"][suite])
    aggregate = data["aggregates"].get(suite)
    rows: dict[str, dict[str, Data]] = {}
    for task in data["tasks"]:
        if task["id"] in members:
            for row in task["rows"]:
                rows.setdefault(row["method"], {})[task["id"]] = row
    nothing = (None, None, None)
    ranks: Mapping[str, Ends] = {} if aggregate is None else aggregate["mean_rank"]
    wider: Mapping[str, Ends] = {} if aggregate is None else aggregate["mean_rank_over_tasks"]
    found = [
        Standing(
            name,
            data["methods"][name]["role"],
            found,
            ranks.get(name, nothing),
            wider.get(name, nothing),
            None if aggregate is None else aggregate["first"].get(name),
            len(members),
        )
        for name, found in rows.items()
    ]
    return sorted(found, key=_order)


def standings_table(standings: Sequence[Standing], suite: str, addresses: Addresses) -> Table:
    """Where each method stands."""
    scales: dict[str, Scale | None] = {
        column.heading: scale_of(column.ends(standing) for standing in standings)
        for column in COLUMNS
        if column.ends is not None and len(standings) <= _BAR_METHODS
    }
    lines = []
    for standing in standings:
        cells = [Cell(standing.name, link=addresses.method(standing.name), style="name")]
        for column in COLUMNS:
            drawn = None if column.ends is None else bar(column.ends(standing), scales.get(column.heading))
            cells.append(Cell(column.text(standing), bar=drawn, style="" if column.ends is None else "ranged"))
        lines.append(Line(cells, standing.style))
    headings = [Heading("method", False), *(Heading(column.heading, True, column.title) for column in COLUMNS)]
    return Table(f"Standings in the suite {suite}", headings, lines, "results")


def headline_map(standings: Sequence[Standing], data: Data, suite: str, addresses: Addresses) -> Table:
    """Every headline, filled by its lift; bold in the first group of ties."""
    members = set(data["suites"][suite])
    tasks = [task for task in data["tasks"] if task["id"] in members]
    lines = []
    for standing in standings:
        cells = [Cell(standing.name, link=addresses.method(standing.name), style="name")]
        cells += [_headline(standing.rows.get(task["id"]), task) for task in tasks]
        lines.append(Line(cells, standing.role))
    headings = [Heading("method", False), *(_task_heading(task, addresses) for task in tasks)]
    return Table(f"Headlines of all tasks of the suite {suite}", headings, lines, "heat wide")


def improvement_map(data: Data, suite: str, addresses: Addresses) -> Table | None:
    """Probability that the row's method scores higher than the column's; None where nothing is put together."""
    aggregate = data["aggregates"].get(suite)
    if aggregate is None:
        return None
    names = aggregate["methods"][:MOST_SHOWN]
    lines = []
    for place, one in enumerate(names):
        cells = [Cell(one, link=addresses.method(one), style="name")]
        for other in range(len(names)):
            chance, low, high = (
                aggregate[end][place][other] for end in ("improvement", "improvement_low", "improvement_high")
            )
            told = "" if low <= 0.5 <= high else " first"
            said = Cell(number(chance), style=f"{share_step(chance)}{told}", title=f"[{number(low)}, {number(high)}]")
            cells.append(Cell(NOTHING) if place == other else said)
        lines.append(Line(cells, data["methods"][one]["role"]))
    headings = [Heading("row over column", False), *(Heading(name) for name in names)]
    return Table(f"Probability of improvement in the suite {suite}", headings, lines, "heat wide")


def recall_map(standings: Sequence[Standing], data: Data, suite: str, addresses: Addresses) -> Table | None:
    """Recall of each phase on the suite's phase tasks under the split that interpolates; None without one."""
    members = set(data["suites"][suite])
    tasks = [task for task in data["tasks"] if task["id"] in members and task["kind"] == "phase_classification"]
    chosen = [task for task in tasks if task["protocol"] == "phase-stratified"] or tasks
    places = [(task, phase) for task in chosen for phase in data["phases"] if _has_recall(task, phase)]
    if not places:
        return None
    lines = []
    for standing in standings:
        found = [_recall(standing.rows.get(task["id"]), phase) for task, phase in places]
        if any(value is not None for value in found):
            cells = [Cell(number(value), style=share_step(value)) for value in found]
            name = Cell(standing.name, link=addresses.method(standing.name), style="name")
            lines.append(Line([name, *cells], standing.role))
    headings = [
        Heading("method", False),
        *(Heading(phase, small=_short(task), link=addresses.task(task["id"])) for task, phase in places),
    ]
    return Table(f"Recall of each phase in the suite {suite}", headings, lines, "heat")


def cost_picture(standings: Sequence[Standing], suite: str, addresses: Addresses) -> Markup | None:
    """Median lift against median cost; hollow where a method lacks tasks."""
    places = []
    for standing in standings:
        lift, cost = standing.median_lift, standing.seconds
        if lift is not None and cost is not None:
            share = f"{len(standing.rows)} of {standing.tasks} tasks"
            said = f"{standing.name}: median lift {number(lift)}, {seconds(cost)} s, {share}"
            places.append(
                Place(standing.name, cost, lift, None, None, standing.style, addresses.method(standing.name), said)
            )
    x = Axis("median seconds of fit and predict a task", log=True)
    return scatter(places, x, Axis("median lift over the best legal floor"), f"Lift against cost, suite {suite}", 0.0)


def _order(standing: Standing) -> tuple[bool, float, int, float, str]:
    rank, lift = standing.mean_rank[0], standing.median_lift
    return (
        rank is None,
        0.0 if rank is None else rank,
        -len(standing.rows),
        0.0 if lift is None else -lift,
        standing.name,
    )


def _count(lifts: Sequence[Data], side: int) -> str:
    if side > 0:
        return str(sum(lift["low"] is not None and lift["low"] > 0 for lift in lifts))
    return str(sum(lift["high"] is not None and lift["high"] < 0 for lift in lifts))


def _headline(row: Data | None, task: Data) -> Cell:
    if row is None:
        return Cell(NOTHING)
    if row["status"] != "ok":
        return Cell("failed", title=row["status"])
    lift = None if row["lift"] is None else row["lift"]["value"]
    first = " first" if row["rank"] == 1 else ""
    return Cell(number(row["metrics"][task["headline"]][0]), style=f"{lift_step(lift)}{first}".strip())


def _task_heading(task: Data, addresses: Addresses) -> Heading:
    title = f"{task['id']}: {heading(task['headline'])}"
    return Heading(task["label"], True, title, _short(task), addresses.task(task["id"]))


def _short(task: Data) -> str:
    """Zoo and split, as ids have it."""
    return f"{task['zoo']} @{task['protocol']}" if "@" in task["id"] else task["zoo"]


def _has_recall(task: Data, phase: str) -> bool:
    return any(_recall(row, phase) is not None for row in task["rows"])


def _recall(row: Data | None, phase: str) -> float | None:
    if row is None or "recall" not in row["per_phase"].get(phase, {}):
        return None
    value: float | None = row["per_phase"][phase]["recall"][0]
    return value
