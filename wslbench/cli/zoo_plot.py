"""``wslbench zoo plot``: the phase diagram and the order parameters of a zoo, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    name: Annotated[str, typer.Argument(metavar="ZOO", help="Name of an embedded zoo, or a zoo's folder.")],
    out: Annotated[Path, typer.Option("--out", help="The picture to write: .png or .svg.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            help="Draw only this; may be repeated. One of phase, train_loss, mode_connectivity, cka, hessian_trace, "
            "hessian_top_eigenvalue, test_accuracy, relative_l2_error. Without it: all that the zoo has.",
        ),
    ] = None,
) -> None:
    """Draw the phase diagram of a zoo and a map of each order parameter over load and temperature."""
    from wslbench.errors import ZooError
    from wslbench.landscape.diagram import FORMATS, draw_diagram
    from wslbench.zoo import load_zoo

    folder = out.absolute().parent
    if out.suffix.lower().removeprefix(".") not in FORMATS or out.is_dir():
        raise ZooError(f"{out}: pictures are written as .png or .svg files")
    if not folder.is_dir():
        raise ZooError(f"{out}: the folder {folder} does not exist")
    drawn = draw_diagram(load_zoo(name), out, parameter or ())
    typer.echo(f"drawn: {', '.join(drawn)} -> {out}")
