"""What all tasks of an evaluation share, whatever they ask for: units, which of them are finished, and giving up."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from wslbench.evaluation.ending import Ending
from wslbench.evaluation.journal import JournalEntry
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import MethodFile
from wslbench.evaluation.result_schema import MethodInfo, ResultRecord, UnitOutcome
from wslbench.evaluation.tier import PROCESS, TIER, Isolation


class UnitName(NamedTuple):
    """Which unit of which task."""

    task_id: str
    fold: int
    seed: int


@dataclass(kw_only=True)
class Run(ABC):
    """A task under way.

    Attributes
    ----------
    isolation
        In which tier the units run.
    entries
        The units that are finished.
    """

    seeds: tuple[int, ...]
    method: MethodFile
    limits: Limits
    device: str
    isolation: Isolation = PROCESS
    entries: dict[UnitName, JournalEntry] = field(default_factory=dict)

    @property
    @abstractmethod
    def id(self) -> str:
        """The task's id."""

    @property
    @abstractmethod
    def folds(self) -> tuple[int, ...]:
        """The folds; each is a unit in every seed."""

    @property
    @abstractmethod
    def instead(self) -> str:
        """What stands in for models of an architecture that the method does not support."""

    @abstractmethod
    def key(self, name: UnitName) -> str:
        """Hash of everything that the unit's outcome depends on."""

    @abstractmethod
    def work(self, name: UnitName, launcher: Launcher, stop: threading.Event) -> JournalEntry:
        """Run a unit, and say what came of it."""

    @abstractmethod
    def write(self, method: MethodInfo, folder: Path, floors: Path | None) -> ResultRecord:
        """Score what came of the units, and write the result; ``floors`` is another folder of floor results."""

    def notes(self) -> Iterator[str]:
        """What a reader of the result should know: of the tier, of what is not supported, of what was not run."""
        if self.isolation.note:
            yield self.isolation.note
        reasons = {name: reason for entry in self.entries.values() for name, reason in entry.unsupported.items()}
        for architecture, reason in sorted(reasons.items()):
            yield f"The architecture {architecture} is not supported by the method ({reason}): {self.instead}."
        if self.given_up():
            what = "Every fold of the first seed" if len(self.folds) > 1 else "The first seed"
            yield f"{what} failed, so the other seeds were not run."

    def tier_in_key(self) -> list[str]:
        """The part of every key that keeps units of different tiers apart; none for the first, which has had none."""
        return [] if self.isolation.tier == TIER else [f"tier {self.isolation.tier}"]

    def units(self, seeds: Sequence[int] | None = None) -> list[UnitName]:
        """Names of the units of these seeds, or of all."""
        return [
            UnitName(self.id, fold, seed) for seed in (self.seeds if seeds is None else seeds) for fold in self.folds
        ]

    @property
    def complete(self) -> bool:
        """Whether every unit is finished."""
        return len(self.entries) == len(self.seeds) * len(self.folds)

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

    def ended(self, name: UnitName, ending: Ending, models: int, uncovered: int, **kept: Any) -> JournalEntry:
        """What the journal keeps of a unit.

        Parameters
        ----------
        models, uncovered
            How many were asked for, and of how many the method does not support the architecture.
        kept
            What this kind of task keeps beyond that.
        """
        failure = ending.failure
        outcome = UnitOutcome(
            fold=name.fold,
            seed=name.seed,
            status=failure.kind if failure else "ok",
            message=failure.message if failure else "",
            fit_seconds=ending.fit_seconds,
            predict_seconds=ending.predict_seconds,
            peak_memory_bytes=ending.peak_memory_bytes,
            parameters=ending.parameters,
            models=models,
            uncovered=uncovered,
        )
        return JournalEntry(
            key=self.key(name),
            limit_seconds=self.limits.seconds,
            limit_bytes=self.limits.memory_bytes,
            outcome=outcome,
            output=failure.output if failure else "",
            unsupported=ending.unsupported,
            **kept,
        )

    def outcomes(self) -> list[UnitOutcome]:
        """How the units ended, in order."""
        return [self.entries[name].outcome for name in self.units()]
