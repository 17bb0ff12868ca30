"""``wslbench zoo``: list, describe, verify, draw, build, annotate, import, export, pull, push and synthesise zoos."""

from __future__ import annotations

from typing import Annotated

import typer

from wslbench.cli.zoo_annotate import annotate
from wslbench.cli.zoo_build import build
from wslbench.cli.zoo_export import export
from wslbench.cli.zoo_hub import pull, push
from wslbench.cli.zoo_import import import_
from wslbench.cli.zoo_plot import plot
from wslbench.cli.zoo_report import report
from wslbench.cli.zoo_synthesise import synthesise

app = typer.Typer(
    name="zoo",
    help="List, describe, verify, draw, build, annotate, import, export, pull, push and synthesise model zoos.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command()(build)
app.command()(annotate)
app.command("import")(import_)
app.command()(pull)
app.command()(push)
app.command()(export)
app.command()(plot)
app.command()(report)
app.command()(synthesise)

NameOrPath = Annotated[
    str, typer.Argument(metavar="ZOO", help="Name of an embedded zoo, a zoo's folder, or hf://OWNER/NAME.")
]


@app.command("list")
def list_zoos() -> None:
    """List the zoos that ship with wslbench."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wslbench.zoo import embedded_zoos, load_zoo

    table = Table(box=None, pad_edge=False)
    for heading in ("zoo", "checkpoints", "MB", "description"):
        table.add_column(heading, justify="right" if heading in ("checkpoints", "MB") else "left")
    for name in embedded_zoos():
        zoo = load_zoo(name)
        shards = zoo.manifest.weights.shards.values()
        size = sum(shard.bytes for shard in shards) / 1e6
        count = sum(shard.models for shard in shards)
        table.add_row(name, f"{count:,}", f"{size:.1f}", Text(zoo.card.description))
    Console().print(table)


@app.command()
def info(name: NameOrPath) -> None:
    """Show what a zoo holds: its grid, phases, checkpoints, splits and versions."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wslbench.cli._zoo_report import facts, phase_grid
    from wslbench.zoo import load_zoo

    zoo = load_zoo(name)
    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for heading, value in facts(zoo):
        table.add_row(heading, Text(value))  # Text: square brackets in a citation are no markup
    console.print(table)
    grid = phase_grid(zoo)
    if grid is not None:
        load, temperature = zoo.card.load.label, zoo.card.temperature.label
        console.print(f"\nphase by {temperature} (upwards) and {load} (*: unfinished)", markup=False, highlight=False)
        console.print(grid)


@app.command()
def verify(name: NameOrPath) -> None:
    """Compare every weight and every row of a zoo with its manifest; fails if anything is wrong."""
    from wslbench.errors import ZooDamagedError
    from wslbench.zoo import load_zoo
    from wslbench.zoo import verify as verify_zoo

    zoo = load_zoo(name)
    problems = verify_zoo(zoo)
    if problems:
        raise ZooDamagedError(f"zoo {zoo.name!r} is not sound: " + "; ".join(problems))
    shards = zoo.manifest.weights.shards.values()
    typer.echo(
        f"{zoo.name}: sound ({sum(shard.models for shard in shards)} checkpoints in {len(shards)} shards, "
        f"{len(zoo.protocols)} splits)"
    )
