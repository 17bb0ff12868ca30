"""A task's table: the board's registered columns, and beside them the worst phase and the other protocols."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from wslbench.evaluation.floors import LEGAL_FLOORS
from wslbench.evaluation.result_schema import Estimate, Lift
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import NOTHING, Column, columns, number, with_ends
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.rows import Row, table_rows
from wslbench.leaderboard.site.addresses import Addresses
from wslbench.leaderboard.site.bars import Ends, Scale, bar, scale_of
from wslbench.leaderboard.site.tables import Cell, Heading, Line, Table
from wslbench.tasks.metrics.registry import METRICS

_COST_FROM = "fit s"
_MEANINGS = {
    "#": "Rank; methods of one rank cannot be told apart",
    "lift": "The headline less that of the best legal floor, paired, with its 95 % interval",
    "drop perm. · scal.": "What the headline loses when hidden units are permuted, and when they are scaled",
    "fit s": "Seconds of fit over all folds, a seed",
    "predict s": "Seconds of predict over all folds, a seed",
    "MiB": "Highest memory of any unit",
    "tier": "How the method was isolated",
}
_BY_HEADING = {f"{metric.label} {'↑' if metric.higher_is_better else '↓'}": metric for metric in METRICS.values()}


def task_table(board: TaskBoard, task: Data, addresses: Addresses) -> Table:
    """The table of a task that has results.

    Parameters
    ----------
    task
        The same task in ``board.json``.
    """
    rows = table_rows(board.records, board.standings.ranks, board.audits)
    shown = _columns(task)
    scales = {column.heading: scale_for(column, rows, task["headline"]) for column in shown if column.estimate}
    groups = list(dict.fromkeys(board.standings.ranks.values()))
    sizes = {rank: list(board.standings.ranks.values()).count(rank) for rank in groups}
    lines = []
    for row in rows:
        cells = [_cell(column, row, scales.get(column.heading), addresses) for column in shown]
        tied = row.rank is not None and sizes[row.rank] > 1
        if tied:
            cells[0] = cells[0]._replace(mark="=", title="cannot be told apart from the first of this rank")
        band = f" tied band{groups.index(row.rank) % 2}" if tied and row.rank is not None else ""
        lines.append(Line(cells, f"{row.role}{' failed' if row.failed else ''}{band}"))
    return Table(f"Results on {task['id']}", [_heading(column) for column in shown], lines, "results")


def scale_for(column: Column, rows: Sequence[Row], headline: str) -> Scale | None:
    """One scale for a column's bars; its reference is the best legal floor, or 0 for a lift."""
    assert column.estimate is not None
    reference: float | None = 0.0
    if column.heading != "lift":
        sign = 1 if METRICS[headline].higher_is_better else -1
        floors = [
            sign * estimate.value
            for row in rows
            if row.name in LEGAL_FLOORS
            and not row.failed
            and (estimate := row.metrics.get(headline)) is not None
            and estimate.value is not None
        ]
        reference = sign * max(floors) if floors else None
    return scale_of((ends_of(column.estimate(row)) for row in rows), reference)


def ends_of(estimate: Estimate | Lift | None) -> Ends:
    """Value and interval, None where there is none."""
    return (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)


def _columns(task: Data) -> list[Column]:
    shown = columns(task["kind"], task["headline"])
    elsewhere: Mapping[str, Mapping[str, Sequence[float | None]]] = {
        row["method"]: row["elsewhere"] for row in task["rows"]
    }
    protocols = dict.fromkeys(name for values in elsewhere.values() for name in values)
    more = [_elsewhere(name, elsewhere) for name in protocols]
    if any(row["worst_phase"] for row in task["rows"]):
        more.append(Column("worst phase", _worst_phase))
    place = next(number for number, column in enumerate(shown) if column.heading == _COST_FROM)
    return [*shown[:place], *more, *shown[place:]]


def _elsewhere(protocol: str, values: Mapping[str, Mapping[str, Sequence[float | None]]]) -> Column:
    def text(row: Row) -> str:
        found = values.get(row.name, {}).get(protocol)
        return NOTHING if found is None else with_ends(*found[:3])

    return Column(f"@{protocol}", text)


def _worst_phase(row: Row) -> str:
    worst = None if row.record is None else row.record.worst_phase
    return NOTHING if worst is None else f"{number(worst.value)} ({worst.phase})"


def _heading(column: Column) -> Heading:
    metric = _BY_HEADING.get(column.heading)
    title = _MEANINGS.get(column.heading) or (metric.description if metric is not None else "")
    if column.heading.startswith("@"):
        title = "The headline under this split of the same target"
    return Heading(column.heading, column.numeric, title)


def _cell(column: Column, row: Row, scale: Scale | None, addresses: Addresses) -> Cell:
    text = column.text(row)
    if column.heading == "method":
        return Cell(text, link=addresses.method(row.name) if row.role != "ceiling" else None, style="name")
    if column.estimate is None or (row.failed and not math.isfinite(_value(column.estimate(row)))):
        return Cell(text)
    return Cell(text, bar=bar(ends_of(column.estimate(row)), scale), style="ranged")


def _value(estimate: Estimate | Lift | None) -> float:
    return math.nan if estimate is None or estimate.value is None else estimate.value
