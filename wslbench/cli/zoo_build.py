"""``wslbench zoo build``: grow a zoo from its recipe, or say what growing it would cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wslbench.cli._seed_secret import secret_in
from wslbench.cli.engine_name import EngineName

if TYPE_CHECKING:
    from rich.console import Console

    from wslbench.population.recipe import Recipe
    from wslbench.population.seed_secret import SeedSecret


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
    seed_secret: Annotated[
        Path | None,
        typer.Option(
            "--seed-secret",
            metavar="FILE",
            help="Grow the zoo again from seeds that nobody can foresee: from names and the bytes of this file. Phases "
            "follow the frozen cut-offs of the public zoo.",
        ),
    ] = None,
    public: Annotated[
        str | None,
        typer.Option(
            "--public",
            metavar="ZOO",
            help="With --seed-secret: the public zoo of this recipe. [default: the embedded one]",
        ),
    ] = None,
) -> None:
    """Train, measure and annotate every cell of a recipe; goes on where an earlier, interrupted call stopped."""
    from rich.console import Console

    from wslbench.errors import RecipeError
    from wslbench.population.recipe_file import load_recipe

    plan = load_recipe(recipe, scale)
    secret = None if seed_secret is None else secret_in(seed_secret)
    if public is not None and secret is None:
        raise RecipeError("--public says whose cut-offs a zoo of secret seeds takes over: give --seed-secret too")
    if dry_run:
        from wslbench.cli._plan_report import print_plan
        from wslbench.population.plan import plan_of

        print_plan(plan_of(plan, jobs))
        return
    if out is None:
        raise RecipeError("--out is missing: say where the zoo will stand, or ask for a --dry-run")
    if secret is not None:
        plan = _regrown(plan, public)
    _grow(plan, out.absolute(), engine, address, jobs, device, secret, Console(stderr=True))


def _regrown(plan: Recipe, public: str | None) -> Recipe:
    """The plan with the frozen cut-offs of its public zoo."""
    from wslbench.errors import RecipeError
    from wslbench.population.frozen_cutoffs import with_frozen_cutoffs
    from wslbench.zoo import embedded_zoos, load_zoo

    if public is None and plan.name in embedded_zoos():
        public = plan.name
    if public is not None:
        return with_frozen_cutoffs(plan, load_zoo(public))
    if plan.cutoffs is None:
        raise RecipeError(
            f"recipe {plan.name!r} has no cut-offs, and there is no embedded zoo of that name to take them from: name "
            "its public zoo by --public"
        )
    return plan


def _grow(
    plan: Recipe,
    destination: Path,
    engine: EngineName,
    address: str | None,
    jobs: int,
    device: str,
    secret: SeedSecret | None,
    console: Console,
) -> None:
    from wslbench.cli._work_progress import work_progress
    from wslbench.engines import make_engine
    from wslbench.population.build import build_zoo

    runner = make_engine(engine.value, jobs, address)
    cells = len(plan.load.values) * len(plan.temperature.values)
    seeds = "" if secret is None else f", secret seeds (commitment {secret.commitment[:12]})"
    console.print(
        f"{plan.name}: {cells} cells, {cells * plan.seeds} runs, engine {engine.value}{seeds}", highlight=False
    )
    try:
        with work_progress("growing", console) as told:
            zoo, notes = build_zoo(plan, destination, jobs, told, runner, device, secret)
    except KeyboardInterrupt:
        partial = destination.with_name(f"{destination.name}.partial")
        console.print(f"interrupted; finished work is kept in {partial}: the same command goes on from there")
        raise typer.Exit(130) from None
    for note in notes:
        console.print(note, markup=False, highlight=False)
    counts = zoo.cells["phase"].value_counts().sort_index()
    console.print(f"grown at {zoo.path}: " + ", ".join(f"{phase} {count}" for phase, count in counts.items()))
