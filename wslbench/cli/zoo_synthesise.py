"""``wslbench zoo synthesise``: a zoo of random networks of any number, for tests of scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def synthesise(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the zoo will stand; must not exist yet.")],
    checkpoints: Annotated[int, typer.Option("--checkpoints", metavar="N", help="How many networks, up to 500000.")],
    seed: Annotated[int, typer.Option("--seed", help="Decides every number in the zoo.")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="Begins with synthetic-. [default: synthetic-N]")] = None,
    widths: Annotated[
        str, typer.Option("--widths", help="Of the networks, ascending; weights grow with the square.")
    ] = "2,3,4,6",
) -> None:
    """Write a synthetic zoo, for tests only: random networks, never trained, with made-up annotations.

    To try tools on many checkpoints. Methods find what was put into the weights, which says nothing about trained
    networks: the leaderboard takes no result on such a zoo. Goes on where an earlier, interrupted call stopped.
    """
    from rich.console import Console

    from wslbench.cli._work_progress import work_progress
    from wslbench.population.synthetic_zoo import synthesise_zoo

    try:
        load = tuple(int(width) for width in widths.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{widths!r} are not whole numbers with commas", param_hint="--widths") from error
    with work_progress("synthesising", Console(stderr=True)) as told:
        zoo = synthesise_zoo(out.absolute(), checkpoints, seed, name, load, told)
    typer.echo(f"synthesised at {zoo.path}: {zoo.name}, {checkpoints:,} checkpoints that were never trained")
