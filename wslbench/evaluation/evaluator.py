"""The evaluation of a method on tasks: units run in sealed processes, kept in a journal, scored into records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wslbench.evaluation.execution import Progress, Settings
from wslbench.evaluation.floors import floors_folder
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.evaluation.work import Wanted, work_on
from wslbench.tasks import TaskBook, load_tasks

if TYPE_CHECKING:
    from wslbench.engines import Engine
    from wslbench.zoo import Zoo

DEFAULT_SUITE: Final = "quick"
GENERATION_SUITE: Final = "generation"


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
    engine: Engine | None = None,
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
        Task ids and the name of a suite; where neither is given, the suite ``quick``, or ``generation`` for a method
        that only generates. Of a suite, those tasks are run that ask for what the method does.
    seeds
        How many seeds: 0, 1, ….
    out
        Folder for ``<method>/<task id>.json`` and ``.parquet``.
    book, zoos, floors
        Other tasks than the bundled ones, zoos (or their folders) by the names that tasks use, and another
        folder of floor results. Without one, floors are the committed ones, and for tasks that have none those in
        ``out``.
    engine
        Whose workers run the units (:func:`wslbench.engines.make_engine`), on machines that see the method, ``out`` and
        the zoos under the same paths; the numbers are the same. None: processes of this machine, ``settings.jobs`` at a
        time.
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
    known = book or load_tasks()
    named = known.select(tasks) if tasks else []
    suites = (suite,) if suite else () if tasks else (DEFAULT_SUITE, GENERATION_SUITE)
    listed = [known.select(suite=name) for name in suites if suite or name in known.suites]
    wanted = Wanted(named, listed)
    records: dict[str, ResultRecord] = {}
    with work_on(
        method, wanted, seeds, folder, settings or Settings(), zoos=zoos, engine=engine, on_progress=on_progress
    ) as work:
        for run in work.finished:
            records[run.id] = run.write(work.method, folder, floors or floors_folder(run.id, folder))
    return [records[task.id] for task in work.tasks]
