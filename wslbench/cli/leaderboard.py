"""``wslbench leaderboard``: compare results, on the terminal and as a Markdown page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def leaderboard(
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", metavar="DIR", help="A folder of results to show beside the committed ones."),
    ] = None,
    committed: Annotated[
        bool, typer.Option("--committed/--no-committed", help="Whether to show the committed results.")
    ] = True,
    task: Annotated[list[str] | None, typer.Option("--task", metavar="ID", help="Only this task; repeatable.")] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Only the tasks of this suite.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables to this file as well.")
    ] = None,
) -> None:
    """Print a table for every task, from results that were checked against their predictions.

    A result in a folder of your own stands in for a committed one of the same method. What is broken or stale is
    named below the tables.
    """
    from wslbench.bundled import bundled_path
    from wslbench.cli._board_report import print_boards, write_markdown
    from wslbench.errors import ResultError
    from wslbench.leaderboard import make_boards, read_results
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    folders = [*(results or []), *([bundled_path("results")] if committed else [])]
    if not folders:
        raise ResultError("There is nothing to show: name a folder with --results, or leave out --no-committed.")
    distinct = list(dict.fromkeys(folder.resolve() for folder in folders))
    book = load_tasks()
    found = read_results(distinct, book, book.select(task=task, suite=suite), load_zoo)
    boards = make_boards(found)
    print_boards(boards, found.problems)
    if markdown is not None:
        write_markdown(boards, found.problems, markdown)
    if not any(board.records for board in boards):
        where = ", ".join(str(folder) for folder in distinct)
        raise ResultError(f"There is no result to show in {where}; `wslbench evaluate METHOD.py --out DIR` makes one.")
