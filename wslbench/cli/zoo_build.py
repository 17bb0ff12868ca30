"""``wslbench zoo build``: grow a zoo from its recipe, or say what growing it would cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wslbench.cli.engine_name import EngineName

if TYPE_CHECKING:
    from rich.console import Console

    from wslbench.population.recipe import Recipe


def build(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe that ships with wslbench, or a YAML file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where the zoo will stand; must not exist yet.")] = None,
    scale: Annotated[
        str | None, typer.Option("--scale", help="paper or laptop, where the recipe has them. [default: laptop]")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print runs, parameters, FLOPs, disk and estimated time; train nothing.")
    ] = False,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="local: processes here. ray: a cluster, or one started here.")
    ] = EngineName.local,
    address: Annotated[
        str | None, typer.Option("--address", help="Of an existing Ray cluster: auto, host:port or ray://host:port.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes, of one thread each.")] = 2,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
) -> None:
    """Train, measure and annotate every cell of a recipe; goes on where an earlier, interrupted call stopped."""
    from rich.console import Console

    from wslbench.errors import RecipeError
    from wslbench.population.recipe_file import load_recipe

    plan = load_recipe(recipe, scale)
    if dry_run:
        from wslbench.cli._plan_report import print_plan
        from wslbench.population.plan import plan_of

        print_plan(plan_of(plan, jobs))
        return
    if out is None:
        raise RecipeError("--out is missing: say where the zoo will stand, or ask for a --dry-run")
    _grow(plan, out.absolute(), engine, address, jobs, device, Console(stderr=True))


def _grow(
    plan: Recipe, destination: Path, engine: EngineName, address: str | None, jobs: int, device: str, console: Console
) -> None:
    from wslbench.cli._work_progress import work_progress
    from wslbench.engines import make_engine
    from wslbench.population.build import build_zoo

    runner = make_engine(engine.value, jobs, address)
    cells = len(plan.load.values) * len(plan.temperature.values)
    console.print(f"{plan.name}: {cells} cells, {cells * plan.seeds} runs, engine {engine.value}", highlight=False)
    try:
        with work_progress("growing", console) as told:
            zoo, notes = build_zoo(plan, destination, jobs, told, runner, device)
    except KeyboardInterrupt:
        partial = destination.with_name(f"{destination.name}.partial")
        console.print(f"interrupted; finished work is kept in {partial}: the same command goes on from there")
        raise typer.Exit(130) from None
    for note in notes:
        console.print(note, markup=False, highlight=False)
    counts = zoo.cells["phase"].value_counts().sort_index()
    console.print(f"grown at {zoo.path}: " + ", ".join(f"{phase} {count}" for phase, count in counts.items()))
