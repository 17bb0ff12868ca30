"""The board: standings and entries of every task that has results, and suites to look at together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.results import Results
from wslbench.leaderboard.standings import Standings, standings
from wslbench.tasks import Task, TaskBook


@dataclass(frozen=True)
class TaskBoard:
    """One task's entries, and how they compare."""

    task: Task
    entries: Sequence[Entry]
    standings: Standings

    @cached_property
    def records(self) -> list[ResultRecord]:
        """The entries' records."""
        return [entry.record for entry in self.entries]

    @cached_property
    def audits(self) -> Mapping[str, AuditRecord]:
        """The audits of those methods that have one."""
        return {entry.record.method.name: entry.audit for entry in self.entries if entry.audit is not None}


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

    def extrapolation(self, board: TaskBoard) -> dict[str, dict[str, Estimate]]:
        """The headline under other protocols of the same target, by method and protocol."""
        found: dict[str, dict[str, Estimate]] = {}
        for other in self.tasks:
            same = (other.task.zoo, other.task.target) == (board.task.zoo, board.task.target)
            if not same or other.task.id == board.task.id:
                continue
            for record in other.records:
                if record.status == "ok":
                    found.setdefault(record.method.name, {})[other.task.protocol] = record.metrics[record.task.headline]
        return found


def make_board(results: Results, book: TaskBook) -> Board:
    """The board of some results."""
    return Board(make_boards(results), dict(book.suites), results.problems, results.notes)


def make_boards(results: Results) -> list[TaskBoard]:
    """A board a task, in the tasks' order."""
    return [TaskBoard(found.task, found.entries, standings(found.entries)) for found in results.tasks]
