"""One task of an evaluation: its units, what came of them, and the record that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from wslbench.evaluation.journal import JournalEntry, unit_key
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import MethodFile
from wslbench.evaluation.predictions import prediction_columns
from wslbench.evaluation.result_schema import UnitOutcome
from wslbench.evaluation.unit import Disguise, Side, Unit, UnitResult
from wslbench.typing import TaskInfo

if TYPE_CHECKING:
    from wslbench.tasks import Problem
    from wslbench.zoo import Zoo

# Raised whenever methods are given something else, or in another order: journals of before no longer count.
EVALUATOR_VERSION: Final = "1"


class UnitName(NamedTuple):
    """Which unit of which task."""

    task_id: str
    fold: int
    seed: int


@dataclass
class TaskRun:
    """A task on its zoos, under way.

    Attributes
    ----------
    disguises
        Under which the test models are asked for once more.
    entries
        The units that are finished.
    """

    problem: Problem
    zoos: tuple[Zoo, ...]
    seeds: tuple[int, ...]
    method: MethodFile
    limits: Limits
    device: str
    disguises: tuple[Disguise, ...] = ()
    entries: dict[UnitName, JournalEntry] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.problem.task.id

    def units(self, seeds: Sequence[int] | None = None) -> list[UnitName]:
        """Names of the units of these seeds, or of all."""
        return [
            UnitName(self.id, fold, seed)
            for seed in (self.seeds if seeds is None else seeds)
            for fold in self.problem.folds
        ]

    @property
    def complete(self) -> bool:
        """Whether every unit is finished."""
        return len(self.entries) == len(self.seeds) * len(self.problem.folds)

    def key(self, name: UnitName) -> str:
        """Hash of everything that the unit's outcome depends on."""
        disguised = [f"{disguise.kind} {disguise.draw}" for disguise in self.disguises]
        return unit_key(
            self._name_of_draws(name),
            *self.problem.hashes,
            self.method.hash,
            self.device,
            EVALUATOR_VERSION,
            *disguised,
        )

    def unit(self, name: UnitName) -> Unit:
        """What the method is asked in this unit."""
        problem = self.problem
        train, test = problem.train(name.fold), problem.test(name.fold)
        target = train["target"].to_numpy()
        if problem.classes:
            codes = {label: code for code, label in enumerate(problem.classes)}
            target = np.array([codes[label] for label in target], dtype=np.int64)
        return Unit(
            key=self._name_of_draws(name),
            task=TaskInfo(id=self.id, kind=problem.task.kind, target=problem.task.target),
            classes=problem.classes,
            train=self._side(train, self.zoos[0]),
            target=target if problem.classes else target.astype(np.float64),
            test=self._side(test, self.zoos[-1]),
            hidden=tuple(zoo.versions["weights"] for zoo in self.zoos),
            device=self.device,
            disguises=self.disguises,
        )

    def entry(self, name: UnitName, result: UnitResult) -> JournalEntry:
        """What the journal keeps of a unit."""
        ids = self.problem.test(name.fold)["model_id"].to_numpy(dtype=object)
        covered = result.covered if result.predictions is not None else np.zeros(len(ids), dtype=bool)
        outcome = UnitOutcome(
            fold=name.fold,
            seed=name.seed,
            status=result.failure.kind if result.failure else "ok",
            message=result.failure.message if result.failure else "",
            fit_seconds=result.fit_seconds,
            predict_seconds=result.predict_seconds,
            peak_memory_bytes=result.peak_memory_bytes,
            parameters=result.parameters,
            models=len(ids),
            uncovered=int((~result.covered).sum()),
        )
        return JournalEntry(
            key=self.key(name),
            limit_seconds=self.limits.seconds,
            limit_bytes=self.limits.memory_bytes,
            outcome=outcome,
            output=result.failure.output if result.failure else "",
            unsupported=result.unsupported,
            model_ids=list(ids[covered]),
            predictions=[] if result.predictions is None else result.predictions[covered].tolist(),
            disguised={
                kind: [
                    values[covered].tolist() for disguise, values in result.disguised.items() if disguise.kind == kind
                ]
                for kind in dict.fromkeys(disguise.kind for disguise in result.disguised)
            },
        )

    def given_up(self) -> list[UnitName]:
        """The units of later seeds, if the first seed failed in every fold: they would fail again, for as long."""
        first = [self.entries.get(name) for name in self.units(self.seeds[:1])]
        if all(entry is not None and entry.outcome.status != "ok" for entry in first):
            return self.units(self.seeds[1:])
        return []

    def give_up(self, name: UnitName) -> None:
        """Book a unit as failed like the first seed's, without running it."""
        like = self.entries[UnitName(self.id, name.fold, self.seeds[0])]
        outcome = UnitOutcome(
            fold=name.fold,
            seed=name.seed,
            status=like.outcome.status,
            message="not run, because every fold of the first seed failed",
            models=like.outcome.models,
        )
        self.entries[name] = like.model_copy(update={"outcome": outcome, "output": ""})

    def outcomes(self) -> list[UnitOutcome]:
        """How the units ended, in order."""
        return [self.entries[name].outcome for name in self.units()]

    def delivered(self, disguise: Disguise | None = None) -> pd.DataFrame:
        """What the method predicted, or did in a disguise: ``seed, model_id`` and the prediction columns."""
        columns = prediction_columns(self.problem)
        frames = [
            pd.DataFrame(np.reshape(predictions, (-1, len(columns))), columns=columns).assign(
                seed=name.seed, model_id=np.array(entry.model_ids, dtype=object)
            )
            for name, entry in self.entries.items()
            if entry.predictions
            for predictions in [entry.disguised[disguise.kind][disguise.draw] if disguise else entry.predictions]
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["seed", "model_id", *columns])

    def notes(self) -> Iterator[str]:
        """What a reader of the result should know: what was not covered, what was not run."""
        reasons = {name: reason for entry in self.entries.values() for name, reason in entry.unsupported.items()}
        for architecture, reason in sorted(reasons.items()):
            yield f"The architecture {architecture} is not supported by the method ({reason}): chance stands in."
        if self.given_up():
            yield "Every fold of the first seed failed, so the other seeds were not run."

    def _name_of_draws(self, name: UnitName) -> str:
        hashes = self.problem.hashes
        return f"{self.id} {hashes.weights} {hashes.split} fold {name.fold} seed {name.seed}"

    def _side(self, rows: pd.DataFrame, zoo: Zoo) -> Side:
        return Side(
            models=zoo.models(rows["model_id"]),
            cells=rows["cell_id"].to_numpy(dtype=str),
            hyperparameters=rows[["load", "temperature"]].to_numpy(dtype=np.float64),
        )
