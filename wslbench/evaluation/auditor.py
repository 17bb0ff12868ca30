"""The audit of a method: its predictions on test models whose weights were changed while their functions were not.

Networks have symmetries (:mod:`wslbench.symmetry`). A method that answers differently for a network and for the same
network with its hidden units in another order has learned something about orders, which mean nothing. Its score on
models in random disguise says how much of its score that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench import __version__
from wslbench.errors import WslbenchError
from wslbench.evaluation.audit_files import AUDIT_FOLDER, write_audit
from wslbench.evaluation.audit_schema import AuditProvenance, AuditRecord, Disguised
from wslbench.evaluation.bootstrap import draw_resamples, interval
from wslbench.evaluation.evaluator import DEFAULT_SUITE
from wslbench.evaluation.execution import Progress, Settings
from wslbench.evaluation.findings import estimate, finite
from wslbench.evaluation.predictions import complete_predictions, prediction_array
from wslbench.evaluation.record import SCORING_VERSION, coverage_of, overall_status
from wslbench.evaluation.result_schema import MethodInfo
from wslbench.evaluation.scoring import score
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.unit import DISGUISES, Disguise, DisguiseKind
from wslbench.evaluation.work import Wanted, work_on
from wslbench.tasks import TaskBook, load_tasks
from wslbench.tasks.metrics.registry import METRICS

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

DRAWS: Final = 4

FloatArray = npt.NDArray[np.float64]


def audit(
    method: str | Path,
    task: str | None = None,
    seeds: int = 1,
    draws: int = DRAWS,
    out: str | Path = "runs",
    settings: Settings | None = None,
    *,
    book: TaskBook | None = None,
    zoos: Mapping[str, Zoo | Path] | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> AuditRecord:
    """Audit a method on a task, write the record to ``<out>/<method>/audit/<task id>.json``, and return it.

    Every fold and seed is fitted as in :func:`~wslbench.evaluation.evaluate`, in a sealed process of its own, and
    predicts its test models as they are, then under ``draws`` random permutations of hidden units and as many random
    scalings, one element of the symmetry group a model.

    Parameters
    ----------
    method
        ``FILE.py``, or ``FILE.py::Class``.
    task
        A task's id; the first of the suite ``quick`` where it is None.
    seeds, draws
        How many seeds, and disguises of each kind.
    out
        Folder for results.
    book, zoos
        Other tasks than the bundled ones, and zoos (or their folders) by the names that tasks use.
    on_progress
        Called after every unit.

    Raises
    ------
    MethodError, UnknownTaskError, ZooError, ResultError
        As :func:`~wslbench.evaluation.evaluate`.
    ArchitectureError
        If the symmetries of an architecture cannot be derived.
    """
    if draws < 1:
        raise WslbenchError(f"The number of draws is {draws}, and has to be above 0.")
    chosen = (book or load_tasks()).select([task] if task else None, None if task else DEFAULT_SUITE)[:1]
    if chosen[0].kind == "weight_generation":
        raise WslbenchError(
            f"{chosen[0].id} asks for networks, which have no predictions to be compared in disguise: their novelty is "
            "that of functions, which no symmetry changes."
        )
    disguises = tuple(Disguise(kind, draw) for kind in DISGUISES for draw in range(draws))
    with work_on(
        method,
        Wanted(chosen),
        seeds,
        Path(out),
        settings or Settings(),
        zoos=zoos,
        disguises=disguises,
        subfolder=AUDIT_FOLDER,
        on_progress=on_progress,
    ) as work:
        record = next(_record(run, work.method) for run in work.finished if isinstance(run, TaskRun))
    write_audit(record, Path(out))
    return record


def _record(run: TaskRun, method: MethodInfo) -> AuditRecord:
    problem, units = run.problem, run.outcomes()
    status = overall_status(units)
    judged = _Judged(run)
    return AuditRecord(
        method=method,
        task=run.id,
        metric=problem.task.headline,
        status=status,
        message=next((unit.message for unit in units if unit.status != "ok"), ""),
        created=datetime.now(UTC),
        seeds=list(run.seeds),
        draws=sum(disguise.kind == DISGUISES[0] for disguise in run.disguises),
        coverage=coverage_of(units),
        score=estimate(judged.scores(), judged.tail),
        permutation=judged.disguised("permutation") if status == "ok" else None,
        scaling=judged.disguised("scaling") if status == "ok" else None,
        provenance=AuditProvenance(
            **problem.hashes._asdict(),
            method=method.source_hash,
            evaluator=f"wslbench {__version__}, scoring {SCORING_VERSION}",
        ),
    )


class _Judged:
    """A run's predictions, as they are and in disguise, scored on the same resamples."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._resamples = draw_resamples(run.problem)

    @property
    def tail(self) -> float:
        """Share of the resamples beyond either end of an interval."""
        return self._resamples.tail

    def scores(self, disguise: Disguise | None = None) -> FloatArray:
        """The headline, ``[seeds, 1 + resamples]``."""
        problem = self._run.problem
        return score(problem, self._predictions(disguise), self._resamples).metrics[problem.task.headline]

    def disguised(self, kind: DisguiseKind) -> Disguised:
        """Score, drop and spread under one kind of symmetry."""
        draws = [disguise for disguise in self._run.disguises if disguise.kind == kind]
        after = np.mean([self.scores(disguise) for disguise in draws], axis=0)
        sign = 1 if METRICS[self._run.problem.task.headline].higher_is_better else -1
        drop, low, high = (
            finite(number) for number in interval(sign * (self.scores() - after).mean(axis=0), self.tail)
        )
        return Disguised(
            score=estimate(after, self.tail),
            score_drop=drop,
            low=low,
            high=high,
            spread=finite(self._spread([None, *draws])),
        )

    def _spread(self, disguises: list[Disguise | None]) -> float:
        problem = self._run.problem
        tables = [self._predictions(disguise) for disguise in disguises]
        covered = ~tables[0].sort_values(["seed", "model_id"])["failed"].to_numpy(dtype=bool)
        if not covered.any():
            return np.nan
        values = np.stack([np.concatenate(prediction_array(problem, table)[1]) for table in tables])[:, covered]
        unit = 1.0 if problem.is_classification else float(problem.table["target"].to_numpy(dtype=np.float64).std())
        return float(np.sqrt(((values - values.mean(axis=0)) ** 2).mean())) / (unit or 1.0)

    def _predictions(self, disguise: Disguise | None) -> pd.DataFrame:
        return complete_predictions(self._run.problem, self._run.delivered(disguise), self._run.seeds)
