"""The board: standings and entries of every task that has results, and suites to look at together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.columns import Filled, filled
from wslbench.leaderboard.results import Results
from wslbench.leaderboard.rows import table_rows
from wslbench.leaderboard.standings import Standings, standings
from wslbench.leaderboard.verified import Verified
from wslbench.tasks import Task, TaskBook


@dataclass(frozen=True)
class TaskBoard:
    """One task's entries, and how they compare.

    ``elsewhere`` is the headline under the other protocols of the same target, by method and protocol.
    """

    task: Task
    entries: Sequence[Entry]
    standings: Standings
    elsewhere: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict, repr=False)

    @cached_property
    def records(self) -> list[ResultRecord]:
        """The entries' records."""
        return [entry.record for entry in self.entries]

    @cached_property
    def audits(self) -> Mapping[str, AuditRecord]:
        """The audits of those methods that have one."""
        return {entry.record.method.name: entry.audit for entry in self.entries if entry.audit is not None}

    @cached_property
    def verified(self) -> Mapping[str, Verified]:
        """The verifications of those methods that have one."""
        return {entry.record.method.name: entry.verified for entry in self.entries if entry.verified is not None}

    @cached_property
    def table(self) -> Filled:
        """The table of a task that has results: every page that shows it has the same cells."""
        rows = table_rows(self.records, self.standings.ranks, self.audits, self.elsewhere, self.verified)
        return filled(self.records[0].task, rows)


@dataclass(frozen=True)
class Board:
    """All that is shown.

    Attributes
    ----------
    tasks
        In the order of the tasks file; those without results as well.
    suites
        Ids of the tasks of each suite.
    problems
        What was found and is not shown, and why.
    notes
        What should be known of what is shown.
    """

    tasks: Sequence[TaskBoard]
    suites: Mapping[str, Sequence[str]]
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()

    def suite(self, name: str) -> list[TaskBoard]:
        """The boards of a suite."""
        return [board for board in self.tasks if board.task.id in self.suites[name]]


def make_board(results: Results, book: TaskBook) -> Board:
    """The board of some results."""
    return Board(make_boards(results), dict(book.suites), results.problems, results.notes)


def make_boards(results: Results) -> list[TaskBoard]:
    """A board a task, in the tasks' order."""
    headlines = _headlines(results)
    return [
        TaskBoard(found.task, found.entries, standings(found.entries), _elsewhere(found.task, headlines))
        for found in results.tasks
    ]


_Headlines = Mapping[tuple[str, str], Mapping[str, Mapping[str, Estimate]]]


def _headlines(results: Results) -> _Headlines:
    """By zoo and target: of each protocol, each method's headline; what failed is left out."""
    headlines: dict[tuple[str, str], dict[str, dict[str, Estimate]]] = {}
    for found in results.tasks:
        records = [entry.record for entry in found.entries if entry.record.status == "ok"]
        headlines.setdefault(_target(found.task), {})[found.task.protocol] = {
            record.method.name: record.metrics[record.task.headline] for record in records
        }
    return headlines


def _elsewhere(task: Task, headlines: _Headlines) -> dict[str, dict[str, Estimate]]:
    elsewhere: dict[str, dict[str, Estimate]] = {}
    for protocol, methods in headlines[_target(task)].items():
        for name, estimate in methods.items() if protocol != task.protocol else ():
            elsewhere.setdefault(name, {})[protocol] = estimate
    return elsewhere


def _target(task: Task) -> tuple[str, str]:
    return task.zoo, task.target
