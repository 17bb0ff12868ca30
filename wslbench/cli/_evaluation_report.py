"""What ``wslbench evaluate`` shows: a bar while it runs, tables, and a paragraph a failure."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from wslbench.foreign_text import shown

if TYPE_CHECKING:
    from rich.console import Console

    from wslbench.evaluation import Progress, ResultRecord
    from wslbench.leaderboard.placing import Placed
    from wslbench.tasks import TaskBook
    from wslbench.zoo import Zoo

_INTERRUPTED = 130
_HTML_WIDTH = 220  # characters
_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>body {{ color: {foreground}; background: {background}; margin: 1.5rem; }} pre {{ overflow-x: auto;
font: 13px/1.45 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}</style></head>
<body><pre><code>{code}</code></pre></body></html>
"""


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


def print_tables(
    records: Sequence[ResultRecord],
    out: Path,
    html: Path | None = None,
    book: TaskBook | None = None,
    zoos: Mapping[str, Zoo] | None = None,
) -> None:
    """Print a table a task: the method among the committed results, and what its result means.

    Parameters
    ----------
    html
        File to which the same is written as one page, whole or not at all.
    book
        The tasks, where they are not those of the package.
    zoos
        Zoos, by name, that are not found by their names.

    Raises
    ------
    ResultError
        If the page cannot be written.
    """
    from rich.console import Console

    from wslbench.leaderboard.checked_before import default_cache
    from wslbench.leaderboard.placing import place
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    placed = place(
        records, out, book or load_tasks(), lambda name: (zoos or {}).get(name) or load_zoo(name), cache=default_cache()
    )
    show(placed, records, out, Console())
    if html is not None:
        _write_html(placed, records, out, html)


def show(placed: Placed, records: Sequence[ResultRecord], out: Path, console: Console) -> None:
    """Print a table a task with the method among the committed results, one sentence on each, and where results are."""
    from rich.padding import Padding
    from rich.text import Text

    from wslbench.leaderboard import render_task_table
    from wslbench.leaderboard.meaning import meaning

    for board, record in zip(placed.boards, records, strict=True):
        name = record.method.name
        ranks = board.standings.ranks
        table = render_task_table(
            board.records, ranks, console.width, board.audits, mark=name, elsewhere=board.elsewhere
        )
        console.print(table)
        console.print(Padding(Text(meaning(board, name), style="bold"), (1, 0, 0, 0)))
        for warning in record.warnings:
            console.print(f"- {shown(warning)}", markup=False, highlight=False)
        console.print()
    for problem in placed.problems:
        console.print(f"- Not shown: {shown(problem)}", markup=False, highlight=False)
    folder = out / records[0].method.name
    console.print(f"Results are in {folder}, of isolation tier `{records[0].tier}`.", markup=False, highlight=False)


def _write_html(placed: Placed, records: Sequence[ResultRecord], out: Path, path: Path) -> None:
    from html import escape
    from io import StringIO

    from rich.console import Console

    from wslbench.errors import ResultError
    from wslbench.zoo.atomic import replacing

    console = Console(file=StringIO(), record=True, width=_HTML_WIDTH, force_terminal=True, color_system="truecolor")
    show(placed, records, out, console)
    page = console.export_html(inline_styles=True, code_format=_HTML)
    try:
        with replacing(path) as new:
            new.write_text(page.replace("TITLE", escape(f"{records[0].method.name} · wslbench"), 1), encoding="utf-8")
    except OSError as error:
        raise ResultError(
            f"{path}: the page cannot be written ({error.strerror or error}); name another file."
        ) from error


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
