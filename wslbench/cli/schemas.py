"""``wslbench schemas``: write the JSON Schemas of results, audits, task files, recipes and zoo cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schemas(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the schemas; in a checkout, the committed ones.")
    ] = Path("docs/schemas"),
) -> None:
    """Write the JSON Schemas of results, audits, verifications, task files, recipes and zoo cards.

    For editors and for tools that are not Python; `wslbench tasks validate` and its like check more than form.
    """
    from wslbench.schemas import write_schemas

    for path in write_schemas(out):
        typer.echo(str(path))
