"""A generation task resolved on its zoo: which networks a generator learns from, and which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import SplitError, TaskError
from wslbench.tasks.book import Task
from wslbench.tasks.problem import Hashes
from wslbench.zoo.protocols import WITHIN_CELL_SEEDS

if TYPE_CHECKING:
    from wslbench.architectures import Architecture
    from wslbench.zoo import Zoo

DRAWN: Final = 64
"""Networks that a generator is asked for."""

HELD_OUT_FOLD: Final = 0


@dataclass(frozen=True, eq=False)
class GenerationProblem:
    """What a generator is asked for, and what its networks are judged by.

    Attributes
    ----------
    train
        A row a network that the generator learns from, of every phase: ``model_id``, ``cell_id``, ``phase``.
    held_out
        The same of the target phase's other seeds.
    architecture
        The one that all of them have.
    """

    task: Task
    zoo: Zoo
    train: pd.DataFrame
    held_out: pd.DataFrame
    architecture: Architecture
    hashes: Hashes

    @property
    def phase(self) -> str:
        """The phase that networks are asked for."""
        assert self.task.phase is not None
        return self.task.phase

    @property
    def folds(self) -> tuple[int, ...]:
        """One draw a seed: there is one fold."""
        return (HELD_OUT_FOLD,)

    def ids(self, rows: pd.DataFrame) -> npt.NDArray[np.object_]:
        """The models of these rows."""
        return rows["model_id"].to_numpy(dtype=object)


def prepare_generation(task: Task, zoo: Zoo) -> GenerationProblem:
    """Resolve a generation task on its zoo.

    Raises
    ------
    TaskError
        If the zoo is not the task's, has no such phase, or holds several architectures.
    SplitError
        If the zoo has no split ``within-cell-seeds``, or the split leaves fewer than two networks on a side.
    """
    if zoo.name != task.zoo:
        raise TaskError(f"The task {task.id} is about the zoo {task.zoo!r}, not about {zoo.name!r}.")
    if WITHIN_CELL_SEEDS not in zoo.protocols:
        raise SplitError(f"The zoo {zoo.name!r} has no split {WITHIN_CELL_SEEDS!r}, by which generators are judged.")
    split = zoo.split(WITHIN_CELL_SEEDS)
    table = zoo.table
    kept = table["measured"].astype(bool) & table["phase"].notna()
    rows = table[kept].rename_axis("model_id").reset_index()
    rows = rows.merge(split.table[["run_id", "fold"]], on="run_id", how="inner", validate="one_to_one")
    names = sorted(set(rows["architecture"]))
    if len(names) != 1:
        raise TaskError(f"The task {task.id} needs networks of one architecture; {zoo.name!r} has {len(names)}.")
    rows = rows.sort_values("model_id", ignore_index=True)
    held = (rows["fold"] == HELD_OUT_FOLD).to_numpy()
    wanted = (rows["phase"] == task.phase).to_numpy()
    if not wanted.any():
        raise TaskError(f"The zoo {zoo.name!r} has no cell in phase {task.phase}, which {task.id} asks for.")
    columns = ["model_id", "cell_id", "phase"]
    train, held_out = rows.loc[~held, columns], rows.loc[held & wanted, columns]
    if len(train[train["phase"] == task.phase]) < 2 or len(held_out) < 2:
        raise SplitError(f"The task {task.id} has too few networks of phase {task.phase} on a side of its split.")
    hashes = Hashes(task.hash, zoo.versions["weights"], zoo.versions["annotations"], split.hash)
    return GenerationProblem(
        task,
        zoo,
        train.reset_index(drop=True),
        held_out.reset_index(drop=True),
        zoo.card.architectures[names[0]],
        hashes,
    )
