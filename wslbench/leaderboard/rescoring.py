"""Records of an older scoring version, or beside other floors, written anew from the predictions beside them.

Predictions, costs and everything else that an evaluation found out stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from wslbench.errors import WslbenchError
from wslbench.evaluation.record_files import text_of, write_record
from wslbench.leaderboard.results import TaskChecker, records_in
from wslbench.tasks import TaskBook
from wslbench.zoo import Zoo


class Rescored(NamedTuple):
    """Paths that were written, those that were current, and why others were left alone."""

    written: list[Path]
    current: list[Path]
    problems: list[str]


def rescore(
    folders: Sequence[Path], book: TaskBook, open_zoo: Callable[[str], Zoo], floors: Path, cache: Path | None = None
) -> Rescored:
    """Score the results in some folders by the rules of today.

    Raises
    ------
    ResultError
        If a folder does not exist, or a record cannot be written.
    """
    done = Rescored([], [], [])
    zoos: dict[str, Zoo] = {}
    by_task: dict[str, list[Path]] = {}
    for path in (path for folder in folders for path in records_in(folder)):
        by_task.setdefault(path.stem, []).append(path)
    for task_id, paths in sorted(by_task.items()):
        if task_id not in book.tasks:
            done.problems.extend(f"{path}: there is no task {task_id!r} (any more)." for path in paths)
            continue
        checker = TaskChecker(book[task_id], open_zoo, zoos, floors, cache)
        for path in paths:
            try:
                record = checker.entry(path).record
            except WslbenchError as error:
                done.problems.append(f"{path}: {error}")
                continue
            if path.read_text(encoding="utf-8") == text_of(record):
                done.current.append(path)
            else:
                write_record(record, path, "result")
                done.written.append(path)
        checker.save()
    return done
