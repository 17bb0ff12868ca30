"""The verification of a method: its score on a public zoo against that on the same zoo grown again from secret seeds.

The public zoo's labels are public, so that a method can carry them in its source. The re-grown networks nobody has
seen: the part of a public score that does not come back there was memorised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import pandas as pd

from wslbench.errors import TaskError
from wslbench.evaluation.assignment import Assignment
from wslbench.evaluation.bootstrap import draw_resamples
from wslbench.evaluation.execution import Progress, Settings
from wslbench.evaluation.findings import estimate
from wslbench.evaluation.gap import Gap, gap_draws, gap_of, headline_draws
from wslbench.evaluation.method_info import Declared
from wslbench.evaluation.predictions import complete_predictions
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.tier import Isolation
from wslbench.evaluation.work import Wanted, work_on
from wslbench.tasks import Problem, Task
from wslbench.tasks.regrown_problem import RegrownProblems, prepare_regrown

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

Way = Literal["public", "regrown", "refitted"]
"""How a task is put; see :class:`RegrownProblems`."""

WAYS: Final[tuple[Way, ...]] = get_args(Way)


class Verification(NamedTuple):
    """One method on one task, three ways, over the same runs and on the same resamples.

    Attributes
    ----------
    metric
        The task's headline.
    scores, records
        By way. Records of the re-grown zoo are of the tier ``verified`` where their units ran in the sandbox.
    gap
        Public less re-grown, in the direction in which more is better; fit on the public zoo both times.
    targets
        The models of the re-grown zoo that were tested, as :class:`~wslbench.tasks.Problem` has them.
    """

    task: str
    metric: str
    scores: Mapping[Way, Estimate]
    records: Mapping[Way, ResultRecord]
    gap: Gap
    targets: pd.DataFrame


def verify_method(
    method: str | Path,
    tasks: Sequence[Task],
    public: Mapping[str, Zoo],
    regrown: Mapping[str, Zoo],
    seeds: int = 3,
    out: str | Path = "runs",
    settings: Settings | None = None,
    *,
    hidden: Sequence[Path] = (),
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[Verification]:
    """Evaluate a method on public and on re-grown zoos, and write its results.

    They stand in ``<out>/<way>/<method>/``, each with a journal: the same call goes on where it was. A lift is taken
    over the floors that stand in the same folder, so that these are to be verified first.

    Parameters
    ----------
    public, regrown
        Zoos by the names that the tasks use.
    settings
        None: the sandbox, at the usual limits.
    hidden
        More than the zoos that a method in the sandbox must not see: the secret, say.

    Raises
    ------
    TaskError
        If a task asks for networks or is about two zoos, or a zoo is missing.
    MethodError, ZooError, ResultError
        As :func:`~wslbench.evaluation.evaluate`.
    """
    for task in tasks:
        if task.zoo not in public or task.zoo not in regrown:
            raise TaskError(f"The task {task.id} cannot be verified: the zoo {task.zoo!r} was not grown again.")
    problems = {task.id: prepare_regrown(task, public[task.zoo], regrown[task.zoo]) for task in tasks}
    # Opened are the zoos that tasks name; what stands here besides is masked alike.
    masked: dict[str, Zoo | Path] = dict(public)
    masked |= {f"{name} grown again": zoo for name, zoo in regrown.items()}
    masked |= {f"hidden {number}": path for number, path in enumerate(hidden)}
    runs: dict[Way, dict[str, TaskRun]] = {way: {} for way in WAYS}
    records: dict[Way, dict[str, ResultRecord]] = {way: {} for way in WAYS}
    for way in WAYS:
        folder = Path(out) / way
        with work_on(
            method,
            Wanted(tasks),
            seeds,
            folder,
            settings or Settings(isolation="sandbox"),
            zoos=masked,
            make_run=partial(_pose, way, problems, public, regrown),
            on_progress=on_progress,
        ) as work:
            for run in work.finished:
                if isinstance(run, TaskRun):
                    runs[way][run.id] = run
                    records[way][run.id] = run.write(work.method, folder, folder)
    return [
        _verification(task, {way: runs[way][task.id] for way in WAYS}, {way: records[way][task.id] for way in WAYS})
        for task in tasks
    ]


def _pose(
    way: Way,
    problems: Mapping[str, RegrownProblems],
    public: Mapping[str, Zoo],
    regrown: Mapping[str, Zoo],
    assignment: Assignment,
    task: Task,
    declared: Declared,
    zoos: tuple[Zoo, ...],
) -> TaskRun:
    """Put a task in one of the ways."""
    fitted = regrown if way == "refitted" else public
    tested = public if way == "public" else regrown
    common = assignment.common
    if way != "public" and assignment.isolation.tier == "sandbox":
        common["isolation"] = Isolation("verified")
    problem: Problem = getattr(problems[task.id], way)
    return TaskRun(problem=problem, zoos=(fitted[task.zoo], tested[task.zoo]), disguises=assignment.disguises, **common)


def _verification(task: Task, runs: Mapping[Way, TaskRun], records: Mapping[Way, ResultRecord]) -> Verification:
    resamples = draw_resamples(runs["public"].problem)
    draws = {
        way: headline_draws(run.problem, complete_predictions(run.problem, run.delivered(), run.seeds), resamples)
        for way, run in runs.items()
    }
    return Verification(
        task.id,
        task.headline,
        {way: estimate(values, resamples.tail) for way, values in draws.items()},
        records,
        gap_of(gap_draws(task.headline, draws["public"], draws["regrown"]), resamples.tail),
        runs["regrown"].problem.table,
    )
