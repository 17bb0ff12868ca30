"""Running the units of an evaluation that its journal does not hold yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from wslbench.errors import MethodError
from wslbench.evaluation.journal import Journal, JournalEntry, still_holds
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import MethodFile, read_method_file
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
    """The units of all tasks, from the journal or run now."""

    def __init__(
        self,
        reference: str | Path,
        runs: Sequence[Run],
        settings: Settings,
        launcher: Launcher,
        journal: Journal,
        stop: threading.Event,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._reference = reference
        self._runs = {run.id: run for run in runs}
        self._settings = settings
        self._launcher = launcher
        self._journal = journal
        self._stop = stop
        self._on_progress = on_progress
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
        with closing(work_through(opening, self._run, self._follow_up, self._settings.jobs, self._stop)) as work:
            for name, _ in work:
                self._report()
                if self._runs[name.task_id].complete:
                    yield self._runs[name.task_id]

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
        self._refuse_edited(run.method)
        self._journal.keep(run.id, entry)
        return entry

    def _follow_up(self, name: UnitName, entry: JournalEntry) -> list[UnitName]:
        run = self._runs[name.task_id]
        run.entries[name] = entry
        return self._go_on(run) if name.seed == run.seeds[0] else []

    def _refuse_edited(self, method: MethodFile) -> None:
        try:
            unchanged = read_method_file(self._reference).hash == method.hash
        except MethodError:
            unchanged = False
        if not unchanged:
            raise MethodError(
                f"{method.path}, or a local file that it imports, was edited while it was being evaluated. The units "
                "that ran before count for nothing; run the command again."
            )

    def _report(self) -> None:
        entries = [entry for run in self._runs.values() for entry in run.entries.values()]
        failed = sum(entry.outcome.status != "ok" for entry in entries)
        total = sum(len(run.units()) for run in self._runs.values())
        self._on_progress(Progress(len(entries), total, self._kept, failed))
