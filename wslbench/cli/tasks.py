"""``wslbench tasks``: list the tasks and suites, show one task in full."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="tasks", help="List and show the tasks.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_tasks() -> None:
    """List every task, with its headline metric and the suites that it is in."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wslbench.tasks import load_tasks

    book = load_tasks()
    table = Table(box=None, pad_edge=False)
    # An id names zoo, target and split; it stays whole, to be copied, on a terminal of 80 columns.
    for heading in ("task", "headline", "suites"):
        table.add_column(heading, no_wrap=heading == "task", overflow="fold")
    for task in book.tasks.values():
        suites = [name for name, members in book.suites.items() if task.id in members]
        table.add_row(task.id, task.headline, Text(", ".join(suites)))
    Console().print(table)


@app.command()
def show(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a task, as `tasks list` prints it.")],
) -> None:
    """Show what a task asks, how it is scored, and what its folds hold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wslbench.cli._task_report import facts, fold_table, seed_table
    from wslbench.errors import ZooNotFoundError
    from wslbench.tasks import load_tasks, prepare, prepare_generation
    from wslbench.zoo import load_zoo

    book = load_tasks()
    task = book[task_id]
    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for heading, value in facts(task, [name for name, members in book.suites.items() if task.id in members]):
        table.add_row(heading, Text(value))
    console.print(table)
    try:
        zoos = [load_zoo(name) for name in task.zoos]
    except ZooNotFoundError as error:
        console.print(f"\nIts folds cannot be shown: {error}", markup=False, highlight=False)
        return
    console.print()
    if task.kind == "weight_generation":
        console.print(seed_table(prepare_generation(task, *zoos)))
    else:
        console.print(fold_table(prepare(task, *zoos)))
