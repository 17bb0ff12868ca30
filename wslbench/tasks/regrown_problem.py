"""A task on a public zoo and on the same zoo grown again from secret seeds, with the same cells held out.

Both zoos have the same cells and runs under the same names, and other networks. A method that is fit on the public
networks is asked about the held-out ones of either zoo: what it knows about cells it can use in both, what it has
memorised of networks in the public one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from wslbench.errors import SplitError, TaskError
from wslbench.tasks.book import Task
from wslbench.tasks.problem import PHASES, Hashes, Problem, problem_from_table, target_table, task_rows
from wslbench.tasks.transforms import Transform, make_transform
from wslbench.zoo.hashing import hash_json

if TYPE_CHECKING:
    from wslbench.zoo import Split, Zoo
    from wslbench.zoo.reader import Versions

TARGET_COLUMNS: Final = (
    "model_id",
    "run_id",
    "cell_id",
    "unit",
    "fold",
    "phase",
    "phase_probability",
    "target",
    "natural_target",
    "load",
    "temperature",
)
"""What :func:`problems_from_targets` asks to be told of each model: the columns of :class:`Problem`."""

_OF_THE_RUN: Final = ("cell_id", "unit", "fold", "load", "temperature")
"""What a run has in either zoo."""


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
    split, transform = _question(task, public, regrown)
    tables = {zoo.path: _table(task, zoo, split, transform) for zoo in (public, regrown)}
    common = set.intersection(*(set(table["run_id"]) for table in tables.values()))

    def posed(fitted: Zoo, tested: Zoo) -> Problem:
        return _posed(
            task, split, transform, common, tables[tested.path], tables[fitted.path], fitted.versions, tested.versions
        )

    return RegrownProblems(posed(public, public), posed(public, regrown), posed(regrown, regrown))


class PublicAndRegrown(NamedTuple):
    """The ways of :class:`RegrownProblems` in which a method is fit on the public zoo."""

    public: Problem
    regrown: Problem


def problems_from_targets(task: Task, public: Zoo, targets: pd.DataFrame, regrown: Versions) -> PublicAndRegrown:
    """The problems of :func:`prepare_regrown`, from the tested models' targets instead of the re-grown zoo.

    Phases and targets are taken as they are told; what a run has in either zoo has to be what the public zoo says.

    Parameters
    ----------
    targets
        ``regrown.table`` of :func:`prepare_regrown`, with the columns :data:`TARGET_COLUMNS`.
    regrown
        The re-grown zoo's hashes.

    Raises
    ------
    TaskError, SplitError
        As :func:`prepare_regrown`; TaskError also where the targets cannot be those of such a zoo.
    """
    split, transform = _question(task, public)
    table = _table(task, public, split, transform)
    _check_targets(task, targets, table, transform)
    common = set(targets["run_id"])
    return PublicAndRegrown(
        _posed(task, split, transform, common, table, table, public.versions, public.versions),
        _posed(task, split, transform, common, targets, table, public.versions, regrown),
    )


def _question(task: Task, public: Zoo, *others: Zoo) -> tuple[Split, Transform]:
    check_verifiable(task)
    for zoo in (public, *others):
        if zoo.name != task.zoo:
            raise TaskError(f"The task {task.id} is about the zoo {task.zoo!r}, not about {zoo.name!r}.")
    if task.protocol not in public.protocols:
        raise SplitError(
            f"The zoo {public.name!r} has no split {task.protocol!r}; it has {', '.join(public.protocols)}."
        )
    return public.split(task.protocol), make_transform(task.transform, public.card.data_set.test_size)


def _table(task: Task, zoo: Zoo, split: Split, transform: Transform) -> pd.DataFrame:
    """What a task asks of a zoo, in the folds of the public one."""
    folds = split.table[["run_id", "unit", "fold"]]
    rows = task_rows(task, zoo).merge(folds, on="run_id", how="inner", validate="one_to_one")
    return target_table(task, zoo, rows, transform)


def _posed(
    task: Task,
    split: Split,
    transform: Transform,
    common: set[str],
    tested: pd.DataFrame,
    fitted: pd.DataFrame,
    of_fitted: Versions,
    of_tested: Versions,
) -> Problem:
    hashes = Hashes(
        task.hash,
        hash_json([versions["weights"] for versions in (of_fitted, of_tested)]),
        hash_json([versions["annotations"] for versions in (of_fitted, of_tested)]),
        hash_json({"split": split.hash, "runs": sorted(common)}),
    )
    kept = tested[tested["run_id"].isin(common)]
    return problem_from_table(task, kept, split.unit, hashes, transform, elsewhere=fitted)


def _check_targets(task: Task, targets: pd.DataFrame, public: pd.DataFrame, transform: Transform) -> None:
    try:
        wrong = _wrong_with(targets, public, transform, task.kind == "phase_classification")
    except (TypeError, ValueError) as error:  # text where there should be numbers, or the reverse
        wrong = str(error)
    if wrong:
        raise TaskError(f"The targets of {task.id} on the re-grown zoo cannot be right: {wrong}.")


def _wrong_with(targets: pd.DataFrame, public: pd.DataFrame, transform: Transform, phases: bool) -> str:
    if set(targets.columns) != set(TARGET_COLUMNS):
        return f"their columns are not {', '.join(TARGET_COLUMNS)}"
    if any(targets[name].duplicated().any() or targets[name].isna().any() for name in ("model_id", "run_id")):
        return "a model or a run stands there twice, or without a name"
    both = targets.merge(public, on="run_id", suffixes=("", " public"))
    if len(both) != len(targets):
        return "they hold runs that the public zoo does not have, or that do not count there"
    for name in _OF_THE_RUN:
        if not (both[name] == both[f"{name} public"]).all():
            return f"{name} is another than in the public zoo"
    if set(both["model_id"]) & set(public["model_id"]):
        return "they hold models of the public zoo"
    if not set(targets["phase"].dropna()) <= set(PHASES):
        return "they hold phases that do not exist"
    if phases:
        return "" if (targets["target"] == targets["phase"]).all() else "the target is not the phase"
    natural = targets["natural_target"].to_numpy(dtype=np.float64)
    told = targets["target"].to_numpy(dtype=np.float64)
    same = np.isfinite(told).all() and np.allclose(transform.forward(natural), told, rtol=1e-9, atol=1e-12)
    return "" if same else "the target is not the transformed value"
