"""What ``wslbench evaluate`` shows: a bar while it runs, tables, and a paragraph a failure."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from wslbench.evaluation import Progress, ResultRecord

_INTERRUPTED = 130


@contextmanager
def progress() -> Generator[Callable[[Progress], None]]:
    """Show a bar on standard error; an interrupt ends in a word on how to go on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Bars(*columns, TextColumn("left"), TimeRemainingColumn(), console=console, disable=not console.is_terminal)
    done = total = 0
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with bars:
            bar = bars.add_task("starting", total=None)

            def show(now: Progress) -> None:
                nonlocal done, total
                done, total = now.done, now.total
                failed = f", {now.failed} failed" if now.failed else ""
                bars.update(bar, completed=now.done, total=now.total, description=f"folds × seeds{failed}")

            yield show
    except KeyboardInterrupt:
        kept = f"{done} of {total} folds × seeds are finished and kept" if total else "nothing was finished"
        typer.echo(f"Interrupted: {kept}. The same command goes on from there.", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def print_json(records: Sequence[ResultRecord]) -> None:
    """Print the records as one JSON list."""
    typer.echo(f"[{','.join(record.model_dump_json() for record in records)}]")


def print_tables(records: Sequence[ResultRecord], out: Path) -> None:
    """Print a table a task: the method, the floors and the ceilings."""
    from rich.console import Console

    from wslbench.leaderboard import render_task_table

    console = Console()
    for record in records:
        console.print(render_task_table([record]))
        for warning in record.warnings:
            console.print(f"- {warning}", markup=False, highlight=False)
        console.print()
    folder = out / records[0].method.name
    console.print(f"Results are in {folder}, of isolation tier `{records[0].tier}`.", markup=False, highlight=False)


def failure_paragraphs(records: Sequence[ResultRecord]) -> list[str]:
    """A paragraph for each way of failing on each task, told by its first fold and seed."""
    from wslbench.evaluation.failures import UnitFailure, failure_paragraph

    paragraphs = []
    for record in records:
        failed = [unit for unit in record.units if unit.status != "ok"]
        for kind in dict.fromkeys(unit.status for unit in failed):
            alike = [unit for unit in failed if unit.status == kind]
            first = alike[0]
            others = f", and {len(alike) - 1} more of {len(record.units)}" if len(alike) > 1 else ""
            where = f"{record.task.id}, fold {first.fold}, seed {first.seed}{others}"
            if first.status != "ok":
                paragraphs.append(failure_paragraph(UnitFailure(first.status, first.message), where))
    return paragraphs


def _as_interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
