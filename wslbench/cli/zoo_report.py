"""``wslbench zoo report``: what is known of a zoo's phases, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    name: Annotated[str, typer.Argument(metavar="ZOO", help="Name of an embedded zoo, or a zoo's folder.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder to write: new, empty, or an earlier report's.")
    ],
) -> None:
    """Report how far a zoo's phases can be trusted: diagram, order parameters, cut-offs, sensitivity, health."""
    from wslbench.annotation.report import write_report
    from wslbench.zoo import load_zoo

    contents = write_report(load_zoo(name), out)
    counts = ", ".join(f"{phase} {count}" for phase, count in contents.head.cells.items())
    doubts = sum(caution.kind == "doubt" for caution in contents.summary)
    typer.echo(
        f"{contents.head.title}: {contents.head.total} cells ({counts}), {doubts} doubts -> {out / 'index.html'}"
    )
