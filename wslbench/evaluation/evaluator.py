"""The evaluation of a method on tasks: units run in sealed processes, kept in a journal, scored into records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wslbench.evaluation.execution import Progress, Settings
from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.predictions import complete_predictions
from wslbench.evaluation.record import build_record
from wslbench.evaluation.result_files import write_result
from wslbench.evaluation.result_schema import MethodInfo, ResultRecord
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.work import work_on
from wslbench.tasks import TaskBook, load_tasks

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

DEFAULT_SUITE: Final = "quick"


def evaluate(
    method: str | Path,
    tasks: Sequence[str] = (),
    suite: str | None = None,
    seeds: int = 3,
    out: str | Path = "runs",
    settings: Settings | None = None,
    *,
    book: TaskBook | None = None,
    zoos: Mapping[str, Zoo | Path] | None = None,
    floors: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[ResultRecord]:
    """Evaluate a method, write its results, and return their records.

    Every (task, fold, seed) runs in a fresh, sealed process (:mod:`wslbench.evaluation.tier`). Finished units
    are kept in a journal under ``out``; the same call goes on from there. The numbers do not depend on ``jobs``.

    Parameters
    ----------
    method
        ``FILE.py``, or ``FILE.py::Class`` where the file holds several.
    tasks, suite
        Task ids and the name of a suite; where neither is given, the suite ``quick``.
    seeds
        How many seeds: 0, 1, ….
    out
        Folder for ``<method>/<task id>.json`` and ``.parquet``.
    book, zoos, floors
        Other tasks than the bundled ones, zoos (or their folders) by the names that tasks use, and another
        folder of floor results.
    on_progress
        Called after every unit.

    Returns
    -------
    One record a task, in the order of the tasks. A failure of the method is a record, too: see ``status``.

    Raises
    ------
    MethodError
        If the file cannot be evaluated at all; nothing is written then.
    UnknownTaskError, ZooError
        If there is no such task, or its zoo cannot be used.
    ResultError
        If ``out`` cannot be written.
    KeyboardInterrupt
        As it came; every process has ended and the journal holds what was finished.
    """
    folder = Path(out)
    chosen = (book or load_tasks()).select(tasks or None, suite or (None if tasks else DEFAULT_SUITE))
    records: dict[str, ResultRecord] = {}
    with work_on(method, chosen, seeds, folder, settings or Settings(), zoos=zoos, on_progress=on_progress) as work:
        for run in work.finished:
            records[run.id] = _write(run, work.method, folder, floors)
    return [records[task.id] for task in chosen]


def _write(run: TaskRun, method: MethodInfo, folder: Path, floors: Path | None) -> ResultRecord:
    predictions = complete_predictions(run.problem, run.delivered(), run.seeds)
    record = build_record(
        run.problem,
        predictions,
        method,
        run.outcomes(),
        committed_floors(run.problem, floors),
        list(run.notes()),
        device=run.device,
    )
    write_result(record, run.problem, predictions, folder)
    return record
