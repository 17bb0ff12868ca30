"""What one predictive task's results are scored with, worked out once however many results there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import pandas as pd

from wslbench.evaluation.bootstrap import Resamples, draw_resamples
from wslbench.evaluation.ceilings import ceilings
from wslbench.evaluation.findings import Findings, estimate, estimates, finite, lift_over
from wslbench.evaluation.floors import LEGAL_FLOORS, Floors
from wslbench.evaluation.predictions import hash_predictions
from wslbench.evaluation.result_schema import Confusion, Estimate, FloorProvenance, MethodInfo, TaskRecord, WorstPhase
from wslbench.evaluation.scores import Scores
from wslbench.evaluation.scoring import score
from wslbench.tasks import Hashes, Problem
from wslbench.tasks.metrics.registry import METRICS


class TaskScorer:
    """Scores predictions of one task, beside its floors and ceilings.

    Parameters
    ----------
    problem
        What was asked.
    floors
        As :func:`~wslbench.evaluation.floors.committed_floors` returns them.
    """

    def __init__(self, problem: Problem, floors: Floors) -> None:
        self.problem = problem
        self.floors = floors

    @property
    def hashes(self) -> Hashes:
        """What was asked, as hashes: of task, weights, annotations, split."""
        return self.problem.hashes

    @cached_property
    def resamples(self) -> Resamples:
        """The task's resamples, the same for every method."""
        return draw_resamples(self.problem)

    @cached_property
    def floor_scores(self) -> Mapping[str, Scores]:
        """The floors on these resamples."""
        return {name: self.score(floor.predictions) for name, floor in self.floors.found.items()}

    @cached_property
    def ceilings(self) -> dict[str, dict[str, Estimate]]:
        """What could be reached at all."""
        return {
            name: {metric: estimate(draws[None], self.resamples.tail) for metric, draws in metrics.items()}
            for name, metrics in ceilings(self.problem, self.resamples).items()
        }

    def hash_of(self, predictions: pd.DataFrame) -> str:
        """Hash of predictions as they stand in a file."""
        return hash_predictions(predictions)

    def score(self, predictions: pd.DataFrame) -> Scores:
        """Every metric on the task and its resamples.

        Raises
        ------
        ResultError
            If the predictions are not complete.
        """
        return score(self.problem, predictions, self.resamples)

    def floors_beside(self, method: str) -> dict[str, FloorProvenance]:
        """Which floors a method's result is held against: all but itself."""
        return {name: floor.provenance for name, floor in self.floors.found.items() if name != method}

    def findings(self, info: MethodInfo, predictions: pd.DataFrame, scores: Scores, seeds: int = 1) -> Findings:
        """Everything in a method's record that follows from its predictions; ``seeds`` are among them."""
        problem, method = self.problem, info.name
        floors = {name: self.floor_scores[name] for name in self.floors_beside(method)}
        return Findings(
            task=self._task(),
            failed_share=float(predictions["failed"].mean()),
            metrics=estimates(scores.metrics, scores.tail),
            per_phase={phase: estimates(values, scores.tail) for phase, values in scores.per_phase.items()},
            per_fold={
                str(fold): {name: finite(float(values.mean())) for name, values in metrics.items()}
                for fold, metrics in scores.per_fold.items()
            },
            worst_phase=_worst_phase(problem, scores),
            confusion=_confusion(problem, scores),
            absent_phases={str(fold): list(phases) for fold, phases in problem.absent.items() if phases},
            left_out=int((~problem.scored).sum()),
            floors={name: estimates(values.metrics, values.tail) for name, values in floors.items()},
            ceilings=self.ceilings,
            # None for a floor itself, and where a floor is missing: that would flatter.
            lift=lift_over(floors, scores, problem.task.headline) if self.missing_floors(method) == [] else None,
        )

    def missing_floors(self, method: str) -> list[str] | None:
        """Legal floors that are not there, without which no lift is given; None for a floor, which has none anyway."""
        if method in LEGAL_FLOORS:
            return None
        return [name for name in LEGAL_FLOORS if name not in self.floors.found]

    def notes(self, method: str) -> Sequence[str]:
        """What the reader of a method's record should know about its floors."""
        # A floor's own result need not be there yet while it is made.
        notes = [text for text in self.floors.warnings if not text.startswith(f"The floor {method} ")]
        if missing := self.missing_floors(method):
            notes.append(
                f"No lift is given: it is taken over the best of all floors, and {', '.join(missing)} is missing."
            )
        return notes

    def _task(self) -> TaskRecord:
        task = self.problem.task
        return TaskRecord(
            id=task.id,
            zoo=task.zoo,
            kind=task.kind,
            target=task.target,
            protocol=task.protocol,
            transform=task.transform,
            headline=task.headline,
            label=task.label,
            unit=self.problem.unit,
            models=len(self.problem.table),
            cells=int(self.problem.table["cell_id"].nunique()),
            units=len(self.resamples.units),
        )


def _worst_phase(problem: Problem, scores: Scores) -> WorstPhase | None:
    metric = "recall" if problem.is_classification else "mae_over_sd"
    sign = -1 if METRICS[metric].higher_is_better else 1
    found = {phase: finite(float(draws[metric][:, 0].mean())) for phase, draws in scores.per_phase.items()}
    values = {phase: value for phase, value in found.items() if value is not None}
    if not values:
        return None
    phase = max(values, key=lambda name: sign * values[name])
    return WorstPhase(phase=phase, metric=metric, value=values[phase])


def _confusion(problem: Problem, scores: Scores) -> Confusion | None:
    if scores.confusion is None:
        return None
    return Confusion(classes=list(problem.classes), counts=scores.confusion.tolist())
