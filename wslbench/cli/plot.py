"""``wslbench plot``: pictures of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wslbench.foreign_text import shown

app = typer.Typer(name="plot", help="Draw results.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _plot() -> None:
    """Draw results."""


@app.command()
def generation(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder of results, such as runs.")],
    out: Annotated[Path, typer.Option("--out", help="The picture to write: .png or .svg.")] = Path("generation.png"),
    committed: Annotated[
        bool, typer.Option("--committed/--no-committed", help="Whether to show the committed results as well.")
    ] = False,
) -> None:
    """Draw accuracy against functional novelty of generated weights, with comparators and held-out real networks."""
    from wslbench.bundled import bundled_path
    from wslbench.errors import ResultError
    from wslbench.leaderboard import read_results
    from wslbench.leaderboard.generation_plot import FORMATS, draw_generation
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    if out.suffix.lower().removeprefix(".") not in FORMATS or out.is_dir():
        raise ResultError(f"{out}: pictures are written as .png or .svg files")
    if not out.absolute().parent.is_dir():
        raise ResultError(f"{out}: the folder {out.absolute().parent} does not exist")
    folders = [results, *([bundled_path("results")] if committed else [])]
    book = load_tasks()
    tasks = [task for task in book.tasks.values() if task.kind == "weight_generation"]
    found = read_results(folders, book, tasks, load_zoo)
    drawn = draw_generation(found.tasks, folders, {task.zoo: load_zoo(task.zoo) for task in tasks}, out)
    for problem in found.problems:
        typer.echo(f"not shown: {shown(problem)}", err=True)
    typer.echo(f"drawn: {', '.join(drawn)} -> {out}")
