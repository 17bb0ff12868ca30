"""The progress bar of long work: a share that is done, time behind, time ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def work_progress(what: str, console: Console) -> Iterator[Callable[[float], None]]:
    """Show a bar; what it gives is called with the share that is done."""
    columns = (
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        # Whole minutes pass between blocks of a laptop: a short window would make the estimate jump.
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, speed_estimate_period=600) as progress:
        bar = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(bar, completed=share)
