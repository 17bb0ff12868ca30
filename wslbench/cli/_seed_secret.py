"""The file of a seed secret, as commands take it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from wslbench.population.seed_secret import SeedSecret


def secret_in(path: Path) -> SeedSecret:
    """The secret; a word on standard error where others can read it, too."""
    from wslbench.population.seed_secret import others_can_read, read_seed_secret

    secret = read_seed_secret(path)
    if others_can_read(path):
        typer.echo(f"{path} can be read by every user of this machine: chmod 600 {path}", err=True)
    return secret
