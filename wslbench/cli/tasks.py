"""``wslbench tasks``: list the tasks and suites, show one task in full, check a task file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wslbench.foreign_text import shown

app = typer.Typer(name="tasks", help="List, show and check the tasks.", no_args_is_help=True, rich_markup_mode=None)


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


@app.command()
def validate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A task file; the one that ships with wslbench, if not named.")
    ] = None,
    zoo: Annotated[
        list[Path] | None, typer.Option("--zoo", metavar="DIR", help="A zoo that the file's tasks use; repeatable.")
    ] = None,
) -> None:
    """Check a task file against its schema and the zoos that it names; leaves with 1 if anything is wrong.

    A line a task: what it comes to, or each thing that is wrong with it, with line and field.
    """
    from wslbench.tasks import validate_tasks
    from wslbench.zoo import load_zoo

    given = {opened.name: opened for opened in map(load_zoo, zoo or ())}
    found = validate_tasks(file, lambda name: given[name] if name in given else load_zoo(name))
    width = max((len(finding.task) for finding in found.tasks), default=0)
    for finding in found.tasks:
        for problem in finding.problems:
            typer.echo(f"wrong  {shown(finding.task):<{width}}  {shown(problem)}")
        if not finding.problems:
            typer.echo(f"ok     {finding.task:<{width}}  {finding.summary}")
    for problem in found.elsewhere:
        typer.echo(f"wrong  {shown(problem)}")
    if found.wrong or found.elsewhere:
        more = f", and {len(found.elsewhere)} problems with the rest of the file" if found.elsewhere else ""
        typer.echo(f"{found.wrong} of {len(found.tasks)} tasks are wrong{more}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"All {len(found.tasks)} tasks can be asked.")
