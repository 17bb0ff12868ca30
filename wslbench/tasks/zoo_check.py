"""Whether a task can be asked of its zoos: columns, splits, scales and phases that it needs are there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from wslbench.errors import WslbenchError
from wslbench.tasks.book import Task
from wslbench.tasks.generation_problem import prepare_generation
from wslbench.tasks.problem import Problem, natural_target, prepare, task_rows
from wslbench.zoo.protocols import NEW_ZOO

if TYPE_CHECKING:
    from wslbench.zoo import Zoo


class Objection(NamedTuple):
    """What is wrong, and the field of the task's entry that it is wrong with."""

    field: str
    message: str


class Verdict(NamedTuple):
    """What a task is like on its zoos, in a few words; or why it cannot be asked of them."""

    summary: str
    objections: list[Objection]


def check_on_zoos(task: Task, open_zoo: Callable[[str], Zoo]) -> Verdict:
    """Resolve a task on its zoos, and name every field of its entry that does not fit them."""
    zoos: list[Zoo] = []
    objections: list[Objection] = []
    for field, name in zip(("zoo", "tested_on"), task.zoos, strict=False):
        try:
            zoo = open_zoo(name)
            objections += _objections(task, zoo)
            zoos.append(zoo)
        except WslbenchError as error:
            objections.append(Objection(field, _sentence(error)))
    if objections:
        return Verdict("", list(dict.fromkeys(objections)))
    try:
        if task.kind == "weight_generation":
            drawn = prepare_generation(task, *zoos)
            return Verdict(f"{len(drawn.train)} train networks, {len(drawn.held_out)} held out", [])
        problem = prepare(task, *zoos)
    except WslbenchError as error:
        return Verdict("", [Objection("protocols", _sentence(error))])
    return Verdict(_summary(problem), list(_too_little(problem)))


def _objections(task: Task, zoo: Zoo) -> list[Objection]:
    table = zoo.table
    found = [*_columns(task, zoo, table)]
    if task.protocol != NEW_ZOO and task.protocol not in zoo.protocols:
        found.append(
            Objection(
                "protocols",
                f"the zoo {zoo.name!r} has no split {task.protocol!r}; it has {_listed(zoo.protocols)}. Take one of "
                "these, or make the split",
            )
        )
    phases = {str(phase) for phase in table["phase"].dropna()} if "phase" in table else set()
    if task.phase is not None and task.phase not in phases:
        found.append(
            Objection("phase", f"the zoo {zoo.name!r} has no cell in phase {task.phase}; it has {_listed(phases)}")
        )
    if not found and task.kind == "accuracy_prediction":
        found += _scale(task, zoo)
    return found


def _columns(task: Task, zoo: Zoo, table: pd.DataFrame) -> Iterator[Objection]:
    for field, name in (("column", task.column), ("minus", task.minus)):
        if name is None:
            continue
        if name not in table:
            near = difflib.get_close_matches(name, [str(column) for column in table.columns], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its columns are {_listed(table.columns)}"
            yield Objection(field, f"the zoo {zoo.name!r} has no column {name!r}; {hint}")
        elif task.kind == "accuracy_prediction" and not _is_numeric(table[name]):
            yield Objection(
                field,
                f"the column {name!r} of the zoo {zoo.name!r} holds no numbers; {task.kind} needs a column that does",
            )


def _is_numeric(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _scale(task: Task, zoo: Zoo) -> Iterator[Objection]:
    """Whether the values lie where the transform is defined; ``logit`` would clip others without a word."""
    if task.transform == "logit" and zoo.card.data_set.test_size is None:
        yield Objection(
            "transform",
            f"the logit scale needs the number of test examples: set data_set.test_size in the card of {zoo.name!r}, "
            "or take another transform",
        )
    values = natural_target(task, task_rows(task, zoo))
    assert values is not None
    outside = {"logit": (values < 0) | (values > 1), "log10": values <= 0}.get(task.transform)
    if outside is not None and outside.any():
        asked = "fractions in [0, 1]" if task.transform == "logit" else "numbers above 0"
        yield Objection(
            "transform",
            f"the {task.transform} scale takes {asked}, and {int(outside.sum())} of {len(values)} values in "
            f"{zoo.name!r} are none, such as {values[outside][0]:g}; take another transform",
        )


def _too_little(problem: Problem) -> Iterator[Objection]:
    """Questions that can be asked and tell nothing."""
    if problem.is_classification:
        if len(problem.classes) < 2:
            yield Objection(
                "column", f"all models are in phase {_listed(problem.classes)}: there is nothing to tell apart"
            )
        elif not problem.scored.any():
            yield Objection("protocols", "no fold tests a phase that its train models show: there is nothing to score")
    elif np.ptp(problem.table["target"].to_numpy(dtype=np.float64)) == 0:
        yield Objection("column", "all models have the same value: there is nothing to predict")


def _summary(problem: Problem) -> str:
    if problem.elsewhere is not None:
        size = f"{len(problem.elsewhere)} train models, {len(problem.table)} tested"
    else:
        size = f"{len(problem.table)} models, {len(problem.folds)} folds"
    return f"{size}, {len(problem.classes)} classes" if problem.is_classification else size


def _listed(names: Sequence[object] | set[str] | pd.Index[Any]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"


def _sentence(error: WslbenchError) -> str:
    return str(error).strip().rstrip(".")
