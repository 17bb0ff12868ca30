"""How ``wslbench leaderboard`` prints and writes its boards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from wslbench.foreign_text import shown

if TYPE_CHECKING:
    from wslbench.leaderboard import Results, TaskBoard
    from wslbench.leaderboard.comparing import Comparison


def print_boards(boards: Sequence[TaskBoard], found: Results) -> None:
    """Print a table for every task that has results, then what is not shown and why."""
    from rich.console import Console

    from wslbench.leaderboard import render_task_table
    from wslbench.leaderboard.columns import number

    console = Console()
    for board in (board for board in boards if board.records):
        console.print(
            render_task_table(
                board.records,
                board.standings.ranks,
                audits=board.audits,
                elsewhere=board.elsewhere,
                verified=board.verified,
            )
        )
        smallest = board.standings.resolvable
        if smallest is not None:
            console.print(f"Differences below about {number(smallest)} cannot be resolved here.", highlight=False)
        console.print()
    print_problems(found)


def print_problems(found: Results, *, err: bool = False) -> None:
    """Print what is not shown and why, and what should be known of what is shown; ``err``: to standard error."""
    from rich.console import Console

    console = Console(stderr=err)
    for heading, lines in (("Not shown:", found.problems), ("To be known:", found.notes)):
        if lines:
            console.print(heading, style="bold red" if heading == "Not shown:" else "bold")
        for line in lines:
            console.print(f"- {shown(line)}", markup=False, highlight=False)


def write_markdown(boards: Sequence[TaskBoard], problems: Sequence[str], path: Path, notes: Sequence[str]) -> None:
    """Write the page, whole or not at all; the reading on a page that stands there already is kept.

    Raises
    ------
    ResultError
        If the file cannot be read or written.
    """
    from wslbench.leaderboard.building import write_page

    write_page(boards, problems, path, notes)


def print_comparison(comparison: Comparison, as_json: bool) -> None:
    """Print two methods side by side."""
    from rich.console import Console
    from rich.table import Table

    from wslbench.leaderboard.columns import number, with_ends

    if as_json:
        print_comparison_json(comparison)
        return
    one, other = comparison.one, comparison.other
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("task", one, other, f"{one} better by", ""):
        justify: Literal["left", "right"] = "left" if heading in ("task", "") else "right"
        table.add_column(heading, justify=justify, no_wrap=heading != "task", overflow="fold")
    for duel in comparison.duels:
        lead = "–" if duel.lead is None else with_ends(*duel.lead)
        values = (number(None if math.isnan(value) else value) for value in (duel.one, duel.other))
        style = {"better": "green", "worse": "red"}.get(duel.verdict, "")
        table.add_row(duel.task, *values, lead, duel.verdict, style=style)
    console = Console()
    console.print(table)
    console.print(
        f"{one} is better on {comparison.count('better')} tasks and worse on {comparison.count('worse')}; on "
        f"{comparison.count('tie')} they cannot be told apart (paired 95 % intervals over held-out units).",
        highlight=False,
    )
    if comparison.together is not None:
        chance = comparison.together.improves(one, other)
        console.print(
            f"Probability that {one} improves on {other} on one of these tasks: {with_ends(*chance)}.", highlight=False
        )


def print_comparison_json(comparison: Comparison) -> None:
    """Print the same as one JSON object."""
    import json

    def plain(values: Sequence[float]) -> list[float | None]:
        return [value if math.isfinite(value) else None for value in values]

    together = comparison.together
    chance = None if together is None else plain(together.improves(comparison.one, comparison.other))
    content = {
        "one": comparison.one,
        "other": comparison.other,
        "tasks": [
            {
                "task": duel.task,
                "metric": duel.metric,
                "values": plain((duel.one, duel.other)),
                "lead": None if duel.lead is None else plain(duel.lead),
                "verdict": duel.verdict,
            }
            for duel in comparison.duels
        ],
        "improvement": chance,
    }
    typer.echo(json.dumps(content, ensure_ascii=False))
