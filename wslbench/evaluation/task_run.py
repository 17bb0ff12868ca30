"""One predictive task of an evaluation: its units, and what came of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.journal import JournalEntry, unit_key
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.predictions import complete_predictions, prediction_columns
from wslbench.evaluation.record import build_record
from wslbench.evaluation.result_files import write_result
from wslbench.evaluation.result_schema import MethodInfo, ResultRecord
from wslbench.evaluation.run import Run, UnitName
from wslbench.evaluation.unit import Disguise, Side, Unit, UnitResult, run_unit
from wslbench.typing import TaskInfo

if TYPE_CHECKING:
    from wslbench.tasks import Problem
    from wslbench.zoo import Zoo

# Raised whenever methods are given something else, or in another order: journals of before no longer count.
EVALUATOR_VERSION: Final = "1"


@dataclass(kw_only=True)
class TaskRun(Run):
    """A predictive task on its zoos, under way.

    Attributes
    ----------
    disguises
        Under which the test models are asked for once more.
    """

    problem: Problem
    zoos: tuple[Zoo, ...]
    disguises: tuple[Disguise, ...] = ()

    @property
    def id(self) -> str:
        return self.problem.task.id

    @property
    def folds(self) -> tuple[int, ...]:
        return self.problem.folds

    @property
    def instead(self) -> str:
        return "chance stands in"

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
            *self.tier_in_key(),
        )

    def work(self, name: UnitName, launcher: Launcher, stop: threading.Event) -> JournalEntry:
        """Run a unit, and say what came of it."""
        return self.entry(name, run_unit(self.unit(name), self.method, launcher, self.limits, stop))

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
        return self.ended(
            name,
            result,
            models=len(ids),
            uncovered=int((~result.covered).sum()),
            model_ids=list(ids[covered]),
            predictions=[] if result.predictions is None else result.predictions[covered].tolist(),
            disguised={
                kind: [
                    values[covered].tolist() for disguise, values in result.disguised.items() if disguise.kind == kind
                ]
                for kind in dict.fromkeys(disguise.kind for disguise in result.disguised)
            },
        )

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

    def write(self, method: MethodInfo, folder: Path, floors: Path | None) -> ResultRecord:
        """Score the predictions, and write the result."""
        predictions = complete_predictions(self.problem, self.delivered(), self.seeds)
        record = build_record(
            self.problem,
            predictions,
            method,
            self.outcomes(),
            committed_floors(self.problem, floors),
            list(self.notes()),
            device=self.device,
            tier=self.isolation.tier,
            zoos=self.zoos,
        )
        write_result(record, self.problem, predictions, folder)
        return record

    def notes(self) -> Iterator[str]:
        """What a reader of the result should know."""
        yield from super().notes()
        for zoo in self.zoos:
            if zoo.card.synthetic:
                yield f"The zoo {zoo.name} is synthetic: its networks were never trained. The leaderboard refuses it."

    def _name_of_draws(self, name: UnitName) -> str:
        hashes = self.problem.hashes
        return f"{self.id} {hashes.weights} {hashes.split} fold {name.fold} seed {name.seed}"

    def _side(self, rows: pd.DataFrame, zoo: Zoo) -> Side:
        return Side(
            models=zoo.models(rows["model_id"]),
            cells=rows["cell_id"].to_numpy(dtype=str),
            hyperparameters=rows[["load", "temperature"]].to_numpy(dtype=np.float64),
        )
