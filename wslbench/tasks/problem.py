"""A task resolved on its zoo: which checkpoints, which targets, which fold each one is tested in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import SplitError, TaskError
from wslbench.tasks.book import Task
from wslbench.tasks.transforms import Transform, make_transform, standardised
from wslbench.zoo.hashing import hash_json

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

PHASES = ("I", "II", "III", "IV-A", "IV-B")

_ELSEWHERE = -1  # the fold of train models that no fold tests

BoolArray = npt.NDArray[np.bool_]


class Hashes(NamedTuple):
    """Content hashes that a result must share with another to be compared with it."""

    task: str
    weights: str
    annotations: str
    split: str


@dataclass(frozen=True)
class Problem:
    """What a method is asked, and what its answers are scored against.

    Attributes
    ----------
    table
        A row a model, sorted by ``model_id``, with ``model_id, run_id, cell_id, unit, fold, phase, phase_probability,
        target, natural_target, load, temperature``. ``target`` is what methods see: the phase, or the value on the
        task's scale; ``natural_target`` is the value before the transform (NaN for phases). In a zoo without phases,
        ``phase`` and ``phase_probability`` are missing values.
    classes
        The phases that occur, in canonical order; empty for regression.
    unit
        What folds and the bootstrap keep together: ``cell``, or the name of a column.
    absent
        For each fold, the phases that occur in the zoo but in no training model of that fold.
    elsewhere
        What is trained on where that is not ``table``: models of another zoo, as ``table`` has them. Of these, too, a
        fold leaves out its own; those of ``new-zoo`` are in no fold.
    """

    task: Task
    table: pd.DataFrame
    classes: tuple[str, ...]
    folds: tuple[int, ...]
    unit: str
    absent: Mapping[int, tuple[str, ...]]
    hashes: Hashes
    transform: Transform
    elsewhere: pd.DataFrame | None = None

    @property
    def is_classification(self) -> bool:
        return self.task.kind == "phase_classification"

    @property
    def model_ids(self) -> npt.NDArray[np.object_]:
        return self.table["model_id"].to_numpy(dtype=object)

    @property
    def scored(self) -> BoolArray:
        """Which rows count: in classification not those whose phase the method was never shown."""
        counted = np.ones(len(self.table), dtype=bool)
        if self.is_classification:
            fold = self.table["fold"].to_numpy()
            phase = self.table["phase"].to_numpy(dtype=object)
            for number, phases in self.absent.items():
                counted &= ~((fold == number) & np.isin(phase, list(phases)))
        return counted

    def train(self, fold: int) -> pd.DataFrame:
        """The rows that a method is fitted on in a fold: all other folds' rows, or those of another zoo."""
        source = self.table if self.elsewhere is None else self.elsewhere
        return source[source["fold"] != fold]

    def test(self, fold: int) -> pd.DataFrame:
        """The rows that a fold tests."""
        return self.table[self.table["fold"] == fold]


def prepare(task: Task, *zoos: Zoo) -> Problem:
    """Resolve a task on its zoos, in the order of ``task.zoos``.

    The rows are those of :func:`task_rows` which stand in the split. Under
    ``new-zoo``, all of those of the first zoo are train and all of the second are test. Targets that are numbers are
    then standardised within each zoo, after the task's transform: what can transfer is the order, and the distance in
    units of a zoo's own spread, not an absolute value. Load and temperature become ranks within their zoo, in (0, 1).

    Raises
    ------
    TaskError
        If the zoos are not the task's, lack a column that it reads, or hold a target that is not finite.
    SplitError
        If the zoo has no split of that protocol, or the split leaves nothing to train on or to test.
    """
    for zoo, name in zip(zoos, task.zoos, strict=True):
        if zoo.name != name:
            raise TaskError(f"The task {task.id} is about the zoo {name!r}, not about {zoo.name!r}.")
    if task.tested_on is not None:
        return _across(task, *zoos)
    (zoo,) = zoos
    if task.protocol not in zoo.protocols:
        raise SplitError(f"The zoo {zoo.name!r} has no split {task.protocol!r}; it has {', '.join(zoo.protocols)}.")
    split = zoo.split(task.protocol)
    rows = task_rows(task, zoo)
    rows = rows.merge(split.table[["run_id", "unit", "fold"]], on="run_id", how="inner", validate="one_to_one")
    transform = make_transform(task.transform, zoo.card.data_set.test_size)
    hashes = Hashes(task.hash, zoo.versions["weights"], zoo.versions["annotations"], split.hash)
    return problem_from_table(task, target_table(task, zoo, rows, transform), split.unit, hashes, transform)


def _across(task: Task, shown: Zoo, tested: Zoo) -> Problem:
    """All of one zoo is train, all of another is test."""
    tables, transforms = [], []
    for zoo, fold in ((shown, _ELSEWHERE), (tested, 0)):
        rows = task_rows(task, zoo)
        rows = rows.assign(unit=rows["cell_id"], fold=fold)
        transform = make_transform(task.transform, zoo.card.data_set.test_size)
        natural = natural_target(task, rows)
        transforms.append(transform if natural is None else standardised(transform, natural))
        table = target_table(task, zoo, rows, transforms[-1])
        tables.append(table.assign(**{name: _ranks(table[name]) for name in ("load", "temperature")}))
    elsewhere, table = tables
    if task.kind != "phase_classification":
        # What the train side's targets would be among the tested models.
        values = elsewhere["target"].to_numpy(dtype=np.float64)
        elsewhere = elsewhere.assign(natural_target=transforms[1].inverse(values))
    sides = {"train": sorted(elsewhere["model_id"]), "test": sorted(table["model_id"])}
    versions = [zoo.versions for zoo in (shown, tested)]
    hashes = Hashes(
        task.hash,
        hash_json([version["weights"] for version in versions]),
        hash_json([version["annotations"] for version in versions]),
        hash_json({"protocol": task.protocol, **sides}),
    )
    return problem_from_table(task, table, "cell", hashes, transforms[1], elsewhere)


def _ranks(values: pd.Series[float]) -> npt.NDArray[np.float64]:
    """Ranks of an axis' values, in (0, 1): the lowest of n is 1/2n, the highest 1 − 1/2n."""
    levels, place = np.unique(values.to_numpy(dtype=np.float64), return_inverse=True)
    return np.asarray((place + 0.5) / len(levels))


def target_table(task: Task, zoo: Zoo, rows: pd.DataFrame, transform: Transform) -> pd.DataFrame:
    """Rows of a zoo, with ``unit`` and ``fold``, as :class:`Problem` holds them."""
    natural = natural_target(task, rows)
    table = pd.DataFrame(
        {
            "model_id": rows["model_id"].to_numpy(dtype=object),
            "run_id": rows["run_id"].to_numpy(dtype=object),
            "cell_id": rows["cell_id"].to_numpy(dtype=object),
            "unit": rows["unit"].astype(str).to_numpy(dtype=object),
            "fold": rows["fold"].to_numpy(dtype=np.int64),
            "phase": rows["phase"].to_numpy(dtype=object),
            "phase_probability": rows["phase_probability"].to_numpy(dtype=np.float64),
            "target": rows["phase"].to_numpy(dtype=object) if natural is None else transform.forward(natural),
            "natural_target": np.full(len(rows), np.nan) if natural is None else natural,
            "load": rows[zoo.card.load.column].to_numpy(),
            "temperature": rows[zoo.card.temperature.column].to_numpy(),
        }
    )
    if natural is not None:
        _refuse_non_finite(task, table)
    return table


def problem_from_table(
    task: Task,
    table: pd.DataFrame,
    unit: str,
    hashes: Hashes,
    transform: Transform,
    elsewhere: pd.DataFrame | None = None,
) -> Problem:
    """The problem that a table of models poses; see :class:`Problem` for its columns.

    Raises
    ------
    SplitError
        If nothing is left to train on, or nothing to test.
    """
    table = table.sort_values("model_id", ignore_index=True)
    folds = tuple(sorted(int(fold) for fold in table["fold"].unique()))
    if len(folds) < 2 and elsewhere is None:
        raise SplitError(f"The task {task.id} has models in {len(folds)} of its folds; it needs at least 2.")
    if elsewhere is not None:
        elsewhere = elsewhere.sort_values("model_id", ignore_index=True)
        if len(table) == 0 or len(elsewhere) == 0:
            raise SplitError(f"The task {task.id} has no models to train on, or none to test.")
    source = table if elsewhere is None else elsewhere
    everything = pd.concat([table, source])
    phases = tuple(phase for phase in PHASES if phase in set(everything["phase"]))
    absent = {fold: _absent_phases(source, fold, phases) for fold in folds}
    classes = phases if task.kind == "phase_classification" else ()
    return Problem(task, table, classes, folds, unit, absent, hashes, transform, elsewhere)


def task_rows(task: Task, zoo: Zoo) -> pd.DataFrame:
    """The checkpoints of a zoo that a task is about: measured ones of finished runs whose cell has a phase.

    A zoo whose card has no phase rule (an imported one, say) tells no failed grid points from others by their phase,
    so that all its measured checkpoints of finished runs are in tasks that ask for numbers.

    Raises
    ------
    TaskError
        If the zoo lacks a column, has no phases where they are asked for, or holds what no task can use.
    """
    table = zoo.table
    needed = {"run_id", "cell_id", "measured", "unfinished", "phase", "phase_probability", task.column}
    needed |= {zoo.card.load.column, zoo.card.temperature.column} | ({task.minus} if task.minus else set())
    missing = sorted(needed - set(table.columns))
    if missing:
        raise TaskError(f"The task {task.id} reads {', '.join(missing)}, which the zoo {zoo.name!r} has no column for.")
    kept = table["measured"].astype(bool) & ~table["unfinished"].astype(bool)
    if zoo.card.phase_rule is not None or task.kind != "accuracy_prediction":
        kept &= table["phase"].notna()
    rows = table[kept].rename_axis("model_id").reset_index()
    if rows.empty and zoo.card.phase_rule is None and task.kind != "accuracy_prediction":
        raise TaskError(
            f"The task {task.id} asks about phases, and no cell of the zoo {zoo.name!r} has one: `wslbench zoo "
            "annotate` measures order parameters and adds phases, where the zoo's data set is there and its cells have "
            "several seeds."
        )
    twice = rows["run_id"][rows["run_id"].duplicated()]
    if len(twice):
        raise TaskError(f"The zoo {zoo.name!r} marks two checkpoints of the run {twice.iloc[0]} as measured.")
    unknown = sorted(set(rows["phase"].dropna()) - set(PHASES))
    if unknown:
        raise TaskError(f"The zoo {zoo.name!r} holds phases that do not exist: {', '.join(map(repr, unknown))}.")
    return rows


def natural_target(task: Task, rows: pd.DataFrame) -> npt.NDArray[np.float64] | None:
    """What a task asks of these rows, before its transform; None where that is a phase."""
    if task.kind == "phase_classification":
        return None
    values = rows[task.column].to_numpy(dtype=np.float64)
    return values - rows[task.minus].to_numpy(dtype=np.float64) if task.minus else values.copy()


def _refuse_non_finite(task: Task, table: pd.DataFrame) -> None:
    values = table["target"].to_numpy(dtype=np.float64)
    broken = table[~np.isfinite(values)]
    if len(broken):
        first = broken.iloc[0]
        raise TaskError(
            f"The target of {task.id} is not finite for {len(broken)} of {len(table)} models: the model "
            f"{first['model_id']} of the cell {first['cell_id']} has {task.column} = {first['natural_target']} "
            f"on the natural scale. Mark such cells as unfinished, or repair the annotation."
        )


def _absent_phases(source: pd.DataFrame, fold: int, phases: tuple[str, ...]) -> tuple[str, ...]:
    shown = set(source["phase"][source["fold"] != fold])
    return tuple(phase for phase in phases if phase not in shown)
