"""How ``wslbench leaderboard`` prints and writes its boards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wslbench.leaderboard import TaskBoard


def print_boards(boards: Sequence[TaskBoard], problems: Sequence[str]) -> None:
    """Print a table for every task that has results, then what is not shown and why."""
    from rich.console import Console

    from wslbench.leaderboard import render_task_table
    from wslbench.leaderboard.columns import number

    console = Console()
    for board in (board for board in boards if board.records):
        console.print(render_task_table(board.records, board.standings.ranks, audits=board.audits))
        smallest = board.standings.resolvable
        if smallest is not None:
            console.print(f"Differences below about {number(smallest)} cannot be resolved here.", highlight=False)
        console.print()
    if problems:
        console.print("Not shown:", style="bold red")
        for problem in problems:
            console.print(f"- {problem}", markup=False, highlight=False)


def write_markdown(boards: Sequence[TaskBoard], problems: Sequence[str], path: Path) -> None:
    """Write the page, whole or not at all; the reading on a page that stands there already is kept.

    Raises
    ------
    ResultError
        If the file cannot be read or written.
    """
    from wslbench.errors import ResultError
    from wslbench.leaderboard import reading_of, render_markdown
    from wslbench.zoo.atomic import write_text

    try:
        reading = reading_of(path.read_text(encoding="utf-8")) if path.exists() else ""
        write_text(path, render_markdown(boards, problems, reading))
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"The page {path} cannot be written: {error}") from error
