"""One generation task of an evaluation: its draws, judged as they come."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from wslbench.evaluation.generators.networks_table import COLUMNS, Track, as_rows
from wslbench.evaluation.generators.record import build_generation_record, write_generation_result
from wslbench.evaluation.generators.reference import Reference
from wslbench.evaluation.generators.unit import GenerationResult, GenerationUnit, run_generation_unit
from wslbench.evaluation.journal import JournalEntry, unit_key
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import StoppedError
from wslbench.evaluation.result_schema import MethodInfo, ResultRecord
from wslbench.evaluation.run import Run, UnitName
from wslbench.evaluation.task_run import EVALUATOR_VERSION
from wslbench.generation.judge import VERSION
from wslbench.tasks import DRAWN
from wslbench.typing import TaskInfo

_JUDGING: Final = threading.Lock()  # networks are evaluated in templates that a process has once
_NUMBERS: Final = ("accuracy_finetuned_5", "weight_distance", "train_loss", "mode_connectivity", "cka", "probability")


@dataclass(kw_only=True)
class GenerationRun(Run):
    """A generation task under way."""

    reference: Reference
    track: Track

    @property
    def id(self) -> str:
        return self.reference.problem.task.id

    @property
    def folds(self) -> tuple[int, ...]:
        return self.reference.problem.folds

    @property
    def instead(self) -> str:
        return "nothing was drawn"

    def key(self, name: UnitName) -> str:
        """Hash of everything that the unit's outcome depends on."""
        return unit_key(
            self._name_of_draws(name),
            *self.reference.problem.hashes,
            self.method.hash,
            self.device,
            EVALUATOR_VERSION,
            f"judge {VERSION}",
            *self.tier_in_key(),
        )

    def work(self, name: UnitName, launcher: Launcher, stop: threading.Event) -> JournalEntry:
        """Have networks drawn, and judge them."""
        result = run_generation_unit(self.unit(name), self.method, launcher, self.limits, stop)
        return self._entry(name, result, stop)

    def unit(self, name: UnitName) -> GenerationUnit:
        """What the generator is asked."""
        problem = self.reference.problem
        return GenerationUnit(
            key=self._name_of_draws(name),
            task=TaskInfo(id=self.id, kind=problem.task.kind, target=problem.task.target),
            train=problem.zoo.models(problem.train["model_id"]),
            phases=problem.train["phase"].to_numpy(dtype=object),
            cells=problem.train["cell_id"].to_numpy(dtype=str),
            target_phase=problem.phase,
            count=DRAWN,
            hidden=(problem.zoo.versions["weights"],),
            device=self.device,
        )

    def _entry(self, name: UnitName, result: GenerationResult, stop: threading.Event) -> JournalEntry:
        """What the journal keeps of a unit: its judged networks, not their weights."""
        networks: dict[str, list[int | float | str | None]] = {}
        if result.drawn is not None:
            rows = self._judge(name, result, stop)
            networks = {str(column): _plain(rows[column]) for column in rows}
        uncovered = DRAWN if result.unsupported else 0
        return self.ended(name, result, models=DRAWN, uncovered=uncovered, networks=networks)

    def networks(self) -> pd.DataFrame:
        """The judged networks of all seeds."""
        tables = [
            pd.DataFrame(entry.networks).assign(seed=name.seed)
            for name, entry in self.entries.items()
            if entry.networks
        ]
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({name: [] for name in COLUMNS})
        return table.astype(dict.fromkeys(_NUMBERS, np.float64))[list(COLUMNS)]

    def write(self, method: MethodInfo, folder: Path, floors: Path | None) -> ResultRecord:
        """Score the judged networks, and write the result; ``floors`` says nothing here, comparators do."""
        table = self.networks()
        record = build_generation_record(
            self.reference, table, method, self.outcomes(), list(self.notes()), self.device, self.isolation.tier
        )
        write_generation_result(record, table, folder)
        return record

    def _judge(self, name: UnitName, result: GenerationResult, stop: threading.Event) -> pd.DataFrame:
        import torch

        def look_up() -> None:
            if stop.is_set():
                raise StoppedError

        assert result.drawn is not None
        with _JUDGING:
            look_up()  # others may have been judged for long
            torch.set_num_threads(1)  # numbers must not depend on the machine's cores
            judged = self.reference.judge.judge(result.drawn, f"{self.id} seed {name.seed}", look_up=look_up)
        return as_rows(judged, self.reference.problem.phase, self.track)

    def _name_of_draws(self, name: UnitName) -> str:
        hashes = self.reference.problem.hashes
        return f"{self.id} {hashes.weights} {hashes.split} seed {name.seed}"


def _plain(values: pd.Series) -> list[int | float | str | None]:
    return [None if isinstance(value, float) and not np.isfinite(value) else value for value in values.tolist()]
