"""Whatever scores the results of a task, whether they predict or generate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from wslbench.evaluation.findings import Findings
from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.record import SCORING_VERSION
from wslbench.evaluation.result_schema import FloorProvenance, MethodInfo
from wslbench.evaluation.scores import Scores
from wslbench.evaluation.task_scorer import TaskScorer
from wslbench.tasks import Hashes, Task, prepare, prepare_generation
from wslbench.zoo import Zoo


class Scorer(Protocol):
    """What results of one task are scored with."""

    @property
    def hashes(self) -> Hashes: ...

    def hash_of(self, answers: pd.DataFrame, /) -> str:
        """Hash of answers as they stand in a file."""

    def score(self, answers: pd.DataFrame, /) -> Scores:
        """Every metric on the task and its resamples."""

    def floors_beside(self, method: str) -> dict[str, FloorProvenance]:
        """Which floors a method's result is held against."""

    def findings(self, info: MethodInfo, answers: pd.DataFrame, scores: Scores, seeds: int) -> Findings:
        """Everything in a record that follows from its answers."""


def scorer_of(task: Task, zoos: Sequence[Zoo], floors: Path | None = None) -> Scorer:
    """The scorer of a task on its zoos, with the floors in a results folder, or the committed ones.

    Raises
    ------
    TaskError, ZooError
        If the task does not fit its zoos.
    """
    if task.kind == "weight_generation":
        from wslbench.evaluation.generators.generation_scorer import GenerationScorer
        from wslbench.evaluation.generators.reference import Reference

        return GenerationScorer(Reference(prepare_generation(task, *zoos)))
    problem = prepare(task, *zoos)
    return TaskScorer(problem, committed_floors(problem, floors))


def scoring_version(task: Task) -> int:
    """Version of the rules by which a task's answers become numbers."""
    if task.kind == "weight_generation":
        from wslbench.evaluation.generators.scoring import SCORING_VERSION as OF_DRAWS

        return OF_DRAWS
    return SCORING_VERSION
