"""A fresh result among the committed ones: what ``wslbench evaluate`` shows when it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wslbench.bundled import bundled_path
from wslbench.evaluation.floors import floors_folder
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.board import TaskBoard, make_boards
from wslbench.leaderboard.results import Results, TaskChecker, TaskEntries, read_results
from wslbench.tasks import TaskBook
from wslbench.zoo import Zoo


@dataclass(frozen=True)
class Placed:
    """Boards that hold one method's fresh results.

    Attributes
    ----------
    boards
        One a task, in the order of the records.
    problems
        Committed results that are not shown, and why.
    """

    boards: Sequence[TaskBoard]
    problems: Sequence[str]


def place(
    records: Sequence[ResultRecord],
    out: Path,
    book: TaskBook,
    open_zoo: Callable[[str], Zoo],
    *,
    committed: Path | None = None,
    cache: Path | None = None,
) -> Placed:
    """Put a method's results among the committed ones; of the same method, the fresh result stands.

    Other methods' results in ``out`` are left out: they may be of any age, and ``wslbench leaderboard`` shows them. Of
    tasks without committed floors, which are the user's own, they are all there is, and are compared with.

    Parameters
    ----------
    records
        Of one method, as :func:`wslbench.evaluation.evaluate` returned them.
    out
        The folder that they were written to.
    open_zoo
        Opens a zoo by name, such as :func:`wslbench.load_zoo`.
    committed
        Folder of results to compare with; those of the package where None.
    cache
        Folder in which to remember which results stand.

    Raises
    ------
    ResultError
        If a record of ``out`` is not what was evaluated any more.
    """
    folder = committed or bundled_path("results")
    tasks = [book.tasks[record.task.id] for record in records]
    source = {task.id: folder if committed else floors_folder(task.id, out) for task in tasks}
    read = {
        where: read_results([where], book, [task for task in tasks if source[task.id] == where], open_zoo, cache=cache)
        for where in dict.fromkeys(source.values())
    }
    found = {each.task.id: each for results in read.values() for each in results.tasks}
    zoos: dict[str, Zoo] = {}
    placed = []
    for record in records:
        name, others = record.method.name, found[record.task.id]
        checker = TaskChecker(others.task, open_zoo, zoos, source[record.task.id], cache)
        mine = checker.entry(out / name / f"{record.task.id}.json")
        checker.save()
        kept = [entry for entry in others.entries if entry.record.method.name != name]
        placed.append(TaskEntries(others.task, [*kept, mine]))
    wanted = {task.id for task in tasks}
    told = [line for results in read.values() for line in results.problems]
    problems = [line for line in told if any(f"{task}." in line for task in wanted)]
    return Placed(make_boards(Results(placed, ())), problems)
