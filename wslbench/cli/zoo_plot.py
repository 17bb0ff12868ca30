"""``wslbench zoo plot``: the phase diagram and the order parameters of a zoo, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    name: Annotated[str, typer.Argument(metavar="ZOO", help="Name of an embedded zoo, or a zoo's folder.")],
    out: Annotated[Path, typer.Option("--out", help="The picture to write: .png or .svg.")],
) -> None:
    """Draw the phase diagram of a zoo and maps of its order parameters over load and temperature."""
    from wslbench.errors import ZooError
    from wslbench.landscape.diagram import draw_phase_diagram
    from wslbench.zoo import load_zoo

    if out.suffix not in {".png", ".svg"}:
        raise ZooError(f"{out}: pictures are written as .png or .svg")
    if not out.absolute().parent.is_dir():
        raise ZooError(f"{out}: the folder {out.absolute().parent} does not exist")
    draw_phase_diagram(load_zoo(name), out)
    typer.echo(f"drawn: {out}")
