"""``wslbench new``: write a method to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def new(
    path: Annotated[Path, typer.Argument(metavar="METHOD.py", help="The file to write; must not exist yet.")],
) -> None:
    """Write a working method to begin with."""
    from wslbench.evaluation.template import write_template

    write_template(path)
    typer.echo(f"{path} is written. Try it: wslbench check {path}")
    typer.echo(f"Then evaluate it:      wslbench evaluate {path}")
