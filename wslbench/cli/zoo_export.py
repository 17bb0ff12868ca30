"""``wslbench zoo export``: a zoo in forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    name: Annotated[str, typer.Argument(metavar="ZOO", help="Name of an embedded zoo, or a zoo's folder.")],
    layout: Annotated[
        str,
        typer.Option(
            "--format", help="state-dicts: a .safetensors file a model; table: a matrix an architecture, a row a model."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Where it will stand; must not exist yet.")],
) -> None:
    """Write a zoo's weights in another form, with all its annotations; `wslbench zoo import` takes it back."""
    from rich.console import Console

    from wslbench.cli._work_progress import work_progress
    from wslbench.interop import export_zoo
    from wslbench.zoo import load_zoo

    zoo = load_zoo(name)
    with work_progress("exporting", Console(stderr=True)) as told:
        export_zoo(zoo, layout, out.absolute(), told)
    typer.echo(f"exported to {out}: {len(zoo.table)} checkpoints as {layout}; metadata.csv lists them")
