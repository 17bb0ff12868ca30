"""A task's table: the board's registered columns, with their intervals drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wslbench.evaluation.floors import LEGAL_FLOORS
from wslbench.evaluation.result_schema import Estimate, Lift
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import Column
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.rows import Row
from wslbench.leaderboard.site.addresses import Addresses
from wslbench.leaderboard.site.bars import Ends, Scale, bar, scale_of
from wslbench.leaderboard.site.tables import Cell, Heading, Line, Table
from wslbench.tasks.metrics.registry import METRICS

_MEANINGS = {
    "#": "Rank; methods of one rank cannot be told apart",
    "lift": "The headline less that of the best legal floor, paired, with its 95 % interval",
    "re-grown": "The headline on a zoo grown again from secret seeds, by the method that was fit on the public one",
    "gap": "How much better the public result is, over the same runs; above 0 throughout: memorised",
    "new load": "The headline of the same target where whole loads are held out",
    "new temp.": "The headline of the same target where whole temperatures are held out",
    "worst phase": "The phase with the least recall, or the largest error over the target's standard deviation",
    "seed sd": "Standard deviation of the headline over the method's seeds, which is not in the interval",
    "covers": "Share of the models that the method supports; the others are predicted by chance",
    "drop perm. · scal.": "What the headline loses when hidden units are permuted, and when they are scaled",
    "fit s": "Seconds of fit over all folds, a seed",
    "predict s": "Seconds of predict over all folds, a seed",
    "MiB": "Highest memory of any unit",
    "tier": "How the method was isolated; verified: on a zoo grown again from secret seeds, too",
}
_BY_HEADING = {f"{metric.label} {'↑' if metric.higher_is_better else '↓'}": metric for metric in METRICS.values()}


def task_table(board: TaskBoard, task: Data, addresses: Addresses) -> Table:
    """The table of a task that has results.

    Parameters
    ----------
    task
        The same task in ``board.json``.
    """
    rows, shown, texts = board.table
    scales = {column.heading: scale_for(column, rows, task["headline"]) for column in shown if column.estimate}
    groups = list(dict.fromkeys(board.standings.ranks.values()))
    sizes = {rank: list(board.standings.ranks.values()).count(rank) for rank in groups}
    lines = []
    for row, *said in zip(rows, *texts, strict=True):
        cells = [
            _cell(column, text, row, scales.get(column.heading), addresses)
            for column, text in zip(shown, said, strict=True)
        ]
        tied = row.rank is not None and sizes[row.rank] > 1
        if tied:
            cells[0] = cells[0]._replace(mark="=", title="cannot be told apart from the first of this rank")
        band = f" tied band{groups.index(row.rank) % 2}" if tied and row.rank is not None else ""
        lines.append(Line(cells, f"{row.role}{' failed' if row.failed else ''}{band}"))
    return Table(f"Results on {task['id']}", [_heading(column) for column in shown], lines, "results")


def scale_for(column: Column, rows: Sequence[Row], headline: str) -> Scale | None:
    """One scale for a column's bars; its reference is the best legal floor, or 0 for a difference."""
    assert column.estimate is not None
    reference: float | None = 0.0
    if column.heading == "re-grown":
        reference = None  # floors there are other ones
    elif column.heading not in ("lift", "gap"):
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


def _heading(column: Column) -> Heading:
    metric = _BY_HEADING.get(column.heading)
    title = _MEANINGS.get(column.heading) or (metric.description if metric is not None else "")
    return Heading(column.heading, column.numeric, title)


def _cell(column: Column, text: str, row: Row, scale: Scale | None, addresses: Addresses) -> Cell:
    if column.heading == "method":
        return Cell(text, link=addresses.method(row.name) if row.role != "ceiling" else None, style="name")
    if column.estimate is None or (row.failed and not math.isfinite(_value(column.estimate(row)))):
        return Cell(text)
    return Cell(text, bar=bar(ends_of(column.estimate(row)), scale), style="ranged")


def _value(estimate: Estimate | Lift | None) -> float:
    return math.nan if estimate is None or estimate.value is None else estimate.value
