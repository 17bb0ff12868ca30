"""Running the units of an evaluation that its journal does not hold yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from wslbench.errors import ResultError
from wslbench.evaluation.journal import Journal, JournalEntry, still_holds
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import refuse_edited
from wslbench.evaluation.pool import work_through
from wslbench.evaluation.run import Run, UnitName
from wslbench.evaluation.tier import TIER, Tier


class Progress(NamedTuple):
    """How far an evaluation is: units, those of them from the journal, and those that failed."""

    done: int
    total: int
    kept: int
    failed: int


@dataclass(frozen=True)
class Settings:
    """How an evaluation runs. None of it changes what an ``ok`` unit predicts, but for ``device``.

    Attributes
    ----------
    jobs
        Units at a time.
    retry_failures
        Run units again that failed in an earlier, journaled run.
    fork
        Fork units from a preloaded server; False starts a new interpreter for each. None: where the system
        allows it.
    isolation
        The tier that is asked for, ``process`` or ``sandbox``. Where the system has no sandbox, units run in
        ``process``, and the result says so.
    """

    jobs: int = 2
    limits: Limits = field(default_factory=Limits)
    device: str = "cpu"
    retry_failures: bool = False
    fork: bool | None = None
    isolation: Tier = TIER


class Execution:
    """The units of all tasks, from the journal or run now.

    Parameters
    ----------
    spread
        Runs units elsewhere, leaves what comes of them in the journal, and tells so; None: they run here.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        settings: Settings,
        launcher: Launcher,
        journal: Journal,
        stop: threading.Event,
        on_progress: Callable[[Progress], None],
        spread: Callable[[Sequence[UnitName], Callable[[], None]], None] | None = None,
    ) -> None:
        self._runs = {run.id: run for run in runs}
        self._settings = settings
        self._launcher = launcher
        self._journal = journal
        self._stop = stop
        self._on_progress = on_progress
        self._spread = spread
        self._kept = 0

    def finished_tasks(self) -> Generator[Run]:
        """Run what the journal does not hold, and yield tasks as they become complete."""
        for run in self._runs.values():
            for name in run.units():
                self._recall(run, name)
        self._report()
        opening = [name for run in self._runs.values() for name in self._open(run, run.seeds[:1])]
        for run in self._runs.values():
            opening += self._go_on(run)
        yield from (run for run in self._runs.values() if run.complete)
        if self._spread is not None:
            yield from self._in_waves(opening, self._spread)
            return
        with closing(work_through(opening, self._run, self._follow_up, self._settings.jobs, self._stop)) as work:
            for name, _ in work:
                self._report()
                if self._runs[name.task_id].complete:
                    yield self._runs[name.task_id]

    def _in_waves(
        self, wave: list[UnitName], spread: Callable[[Sequence[UnitName], Callable[[], None]], None]
    ) -> Generator[Run]:
        """Run units elsewhere: the first seed's, and when all are there those that follow from them."""
        while wave:
            self._forget_failures(wave)
            spread(wave, partial(self._collect, wave))
            self._collect(wave)
            missing = [name for name in wave if name not in self._runs[name.task_id].entries]
            if missing:
                raise ResultError(
                    f"{len(missing)} units were run and are not in the journal as they were asked for, among them "
                    f"{missing[0].task_id}, fold {missing[0].fold}, seed {missing[0].seed}. Have all workers the same "
                    "zoos and tasks?"
                )
            wave_before, wave = wave, [name for run in self._runs.values() for name in self._go_on(run)]
            self._report()
            touched = dict.fromkeys(name.task_id for name in wave_before)
            yield from (self._runs[task_id] for task_id in touched if self._runs[task_id].complete)

    def _forget_failures(self, wave: Sequence[UnitName]) -> None:
        """Take entries out of the journal that are to be run again: what is there afterwards is new."""
        for name in wave:
            self._journal.forget(name.task_id, name.fold, name.seed)

    def _collect(self, wave: Sequence[UnitName]) -> None:
        """Look what has come into the journal."""
        before = sum(len(run.entries) for run in self._runs.values())
        for name in wave:
            run = self._runs[name.task_id]
            if name not in run.entries:
                entry = self._journal.find(run.id, name.fold, name.seed, run.key(name))
                if entry is not None:
                    run.entries[name] = entry
        if sum(len(run.entries) for run in self._runs.values()) > before:
            self._report()

    def _recall(self, run: Run, name: UnitName) -> None:
        entry = self._journal.find(run.id, name.fold, name.seed, run.key(name))
        if entry is not None and still_holds(entry, self._settings.limits, self._settings.retry_failures):
            run.entries[name] = entry
            self._kept += 1

    def _open(self, run: Run, seeds: Sequence[int]) -> list[UnitName]:
        return [name for name in run.units(seeds) if name not in run.entries]

    def _go_on(self, run: Run) -> list[UnitName]:
        """After the first seed: the units of the others, or none where they are given up."""
        if self._open(run, run.seeds[:1]):
            return []
        rest = self._open(run, run.seeds[1:])
        if not run.given_up():
            return rest
        for name in rest:
            run.give_up(name)
        return []

    def _run(self, name: UnitName) -> JournalEntry:
        run = self._runs[name.task_id]
        entry = run.work(name, self._launcher, self._stop)
        refuse_edited(run.method)
        self._journal.keep(run.id, entry)
        return entry

    def _follow_up(self, name: UnitName, entry: JournalEntry) -> list[UnitName]:
        run = self._runs[name.task_id]
        run.entries[name] = entry
        return self._go_on(run) if name.seed == run.seeds[0] else []

    def _report(self) -> None:
        entries = [entry for run in self._runs.values() for entry in run.entries.values()]
        failed = sum(entry.outcome.status != "ok" for entry in entries)
        total = sum(len(run.units()) for run in self._runs.values())
        self._on_progress(Progress(len(entries), total, self._kept, failed))
