"""``wslbench zoo build``: grow a zoo from its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe that ships with wslbench, or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", help="Where the zoo will stand; must not exist yet.")],
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes, of one thread each.")] = 2,
) -> None:
    """Train, measure and annotate every cell of a recipe; goes on where an earlier, interrupted call stopped."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from wslbench.population.build import build_zoo
    from wslbench.population.recipe import load_recipe

    plan = load_recipe(recipe)
    destination = out.absolute()
    console = Console(stderr=True)
    cells = len(plan.load.values) * len(plan.temperature.values)
    console.print(f"{plan.name}: {cells} cells, {cells * plan.seeds} runs, {jobs} processes", highlight=False)
    columns = (
        TextColumn("growing"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        # Whole minutes pass between columns of a laptop: a short window would make the estimate jump.
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, speed_estimate_period=600) as progress:
            bar = progress.add_task("growing", total=1.0)
            zoo, notes = build_zoo(plan, destination, jobs, lambda share: progress.update(bar, completed=share))
    except KeyboardInterrupt:
        partial = destination.with_name(f"{destination.name}.partial")
        console.print(f"interrupted; finished work is kept in {partial}: the same command goes on from there")
        raise typer.Exit(130) from None
    for note in notes:
        console.print(note, markup=False, highlight=False)
    counts = zoo.cells["phase"].value_counts().sort_index()
    console.print(f"grown at {zoo.path}: " + ", ".join(f"{phase} {count}" for phase, count in counts.items()))
