"""The command line. Its modules import typer alone; what a command needs is imported when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wslbench.cli import leaderboard, plot, tasks, zoo
from wslbench.cli.audit import audit
from wslbench.cli.check import check
from wslbench.cli.evaluate import evaluate
from wslbench.cli.new import new
from wslbench.cli.schemas import schemas
from wslbench.cli.verify import verify
from wslbench.errors import DiskFullError, WslbenchError
from wslbench.foreign_text import shown
from wslbench.full_disk import disk_full, full_disk

app = typer.Typer(
    name="wslbench",
    help="The benchmark suite for weight space learning.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (new, check, evaluate, audit, verify, schemas):
    app.command()(command)
app.add_typer(leaderboard.app)
app.add_typer(plot.app)
app.add_typer(tasks.app)
app.add_typer(zoo.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        import wslbench

        typer.echo(f"wslbench {wslbench.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error that the user can mend is one paragraph, not a traceback."""
    try:
        app()
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        message = shown(str(told).strip())
        typer.echo(f"error: {message}{'' if message.endswith(('.', '!', '?')) else '.'}", err=True)
        sys.exit(told.exit_code)


def _told(error: Exception) -> WslbenchError | None:
    """What the user can mend: a full disk, wherever it was met and whatever was made of it, or what was raised."""
    full = None if isinstance(error, DiskFullError) else full_disk(error)
    if full is not None:
        return disk_full(full)
    return error if isinstance(error, WslbenchError) else None
