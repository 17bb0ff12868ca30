"""A task on a public zoo and on the same zoo grown again from secret seeds, with the same cells held out.

Both zoos have the same cells and runs under the same names, and other networks. A method that is fit on the public
networks is asked about the held-out ones of either zoo: what it knows about cells it can use in both, what it has
memorised of networks in the public one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from wslbench.errors import SplitError, TaskError
from wslbench.tasks.book import Task
from wslbench.tasks.problem import Hashes, Problem, problem_from_table, target_table, task_rows
from wslbench.tasks.transforms import make_transform
from wslbench.zoo.hashing import hash_json

if TYPE_CHECKING:
    from wslbench.zoo import Zoo


class RegrownProblems(NamedTuple):
    """One question, put three ways: about the same runs in the same folds.

    Attributes
    ----------
    public
        Fit and tested on the public zoo.
    regrown
        Fit on the public zoo, tested on the re-grown one.
    refitted
        Fit and tested on the re-grown zoo.
    """

    public: Problem
    regrown: Problem
    refitted: Problem


def is_verifiable(task: Task) -> bool:
    """Whether a task has a counterpart on one zoo that was grown again: not one about two zoos, or for generators."""
    return task.tested_on is None and task.kind != "weight_generation"


def check_verifiable(task: Task) -> None:
    """Refuse a task that is not verifiable.

    Raises
    ------
    TaskError
        If the task is about two zoos or asks for networks.
    """
    if not is_verifiable(task):
        raise TaskError(f"The task {task.id} cannot be verified: only predictions on one zoo can.")


def prepare_regrown(task: Task, public: Zoo, regrown: Zoo) -> RegrownProblems:
    """Pose a task on a public zoo and on the re-grown one, fold by fold as the public zoo's split says.

    Tested are the runs that count in both zoos; a cell that got no phase, or was not finished, in one of them is left
    out of all three problems. Fitted is on every run of the train folds that counts in its zoo.

    Raises
    ------
    TaskError
        If the task is about two zoos or asks for networks, or the zoos are not the task's.
    SplitError
        If the public zoo has no such split, or the zoos share too few runs.
    """
    check_verifiable(task)
    for zoo in (public, regrown):
        if zoo.name != task.zoo:
            raise TaskError(f"The task {task.id} is about the zoo {task.zoo!r}, not about {zoo.name!r}.")
    if task.protocol not in public.protocols:
        raise SplitError(
            f"The zoo {public.name!r} has no split {task.protocol!r}; it has {', '.join(public.protocols)}."
        )
    split = public.split(task.protocol)
    transform = make_transform(task.transform, public.card.data_set.test_size)
    tables = {}
    for zoo in (public, regrown):
        rows = task_rows(task, zoo).merge(
            split.table[["run_id", "unit", "fold"]], on="run_id", how="inner", validate="one_to_one"
        )
        tables[zoo.path] = target_table(task, zoo, rows, transform)
    common = set.intersection(*(set(table["run_id"]) for table in tables.values()))

    def posed(fitted: Zoo, tested: Zoo) -> Problem:
        table: pd.DataFrame = tables[tested.path]
        hashes = Hashes(
            task.hash,
            hash_json([zoo.versions["weights"] for zoo in (fitted, tested)]),
            hash_json([zoo.versions["annotations"] for zoo in (fitted, tested)]),
            hash_json({"split": split.hash, "runs": sorted(common)}),
        )
        kept = table[table["run_id"].isin(common)]
        return problem_from_table(task, kept, split.unit, hashes, transform, elsewhere=tables[fitted.path])

    return RegrownProblems(posed(public, public), posed(public, regrown), posed(regrown, regrown))
