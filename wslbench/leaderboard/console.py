"""A task's table on the terminal, with as many of its columns as the terminal is wide enough for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.leaderboard.columns import Column, filled
from wslbench.leaderboard.rows import Role, Row, table_rows, tier_of
from wslbench.leaderboard.verified import Verified

_STYLES: dict[Role, str] = {"method": "bold", "floor": "dim", "oracle": "yellow", "ceiling": "cyan"}
_MARK = "▸ "  # also where there is no colour
_NOTE_WIDTH = 11  # a note may wrap, but not below its shortest words


def render_task_table(
    records: Sequence[ResultRecord],
    ranks: Mapping[str, int] | None = None,
    width: int | None = None,
    audits: Mapping[str, AuditRecord] | None = None,
    mark: str | None = None,
    elsewhere: Mapping[str, Mapping[str, Estimate]] | None = None,
    verified: Mapping[str, Verified] | None = None,
) -> Table:
    """The table of one task.

    Parameters
    ----------
    records
        At least one record, all of the same task. Floors and ceilings that they carry become rows as well.
    ranks
        Rank of each method, from :func:`~wslbench.leaderboard.standings.standings`; without it none is shown.
    width
        Characters a line; the terminal's where None. What does not fit is named below the table.
    audits
        Audit of each method that has one.
    mark
        The method whose row is to be found at a glance.
    elsewhere
        The headline under other protocols, by method and protocol.
    verified
        Verification of each method that has one.
    """
    task = records[0].task
    rows = [
        replace(row, name=f"{_MARK}{row.name}") if row.name == mark else row
        for row in table_rows(records, ranks, audits, elsewhere, verified)
    ]
    every = [column for column in filled(task, rows).columns if ranks or column.heading != "#"]
    shown = _that_fit(every, rows, Console().width if width is None else width)
    tiers = _tiers(records, verified or {})
    table = Table(
        title=escape(f"{task.id} · {task.label} · {task.models} models, {task.cells} cells · tier {tiers}"),
        title_justify="left",
        title_style="bold",
        caption=_caption(every, shown),
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    for column in shown:
        fixed = column.heading != "note"
        table.add_column(column.heading, justify="right" if column.numeric else "left", no_wrap=fixed, overflow="fold")
    for row in rows:
        table.add_row(*(escape(column.text(row)) for column in shown), style=_style(row))
    return table


def _that_fit(every: Sequence[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """The essential columns, and of the others as many as fit beside them, the first ones first."""
    left = width - sum(_width(column, rows) for column in every if column.essential)
    kept = []
    for column in every:
        left -= 0 if column.essential else _width(column, rows)
        if column.essential or left >= 0:
            kept.append(column)
    return kept


def _width(column: Column, rows: Sequence[Row]) -> int:
    if column.heading == "note":
        return _NOTE_WIDTH
    return 1 + max(len(text) for text in [column.heading, *(column.text(row) for row in rows)])


def _caption(every: Sequence[Column], shown: Sequence[Column]) -> str:
    missing = [column.heading for column in every if column not in shown]
    hidden = f" Not shown for want of width: {', '.join(missing)}." if missing else ""
    return escape("[ ]: 95 % intervals over held-out units.") + hidden


def _tiers(records: Sequence[ResultRecord], verified: Mapping[str, Verified]) -> str:
    return ", ".join(sorted({tier_of(record, verified.get(record.method.name)) for record in records}))


def _style(row: Row) -> str:
    if row.failed:
        return "red"
    return "bold green" if row.name.startswith(_MARK) else _STYLES[row.role]
