"""The board: standings and records of every task that has results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.results import Results
from wslbench.leaderboard.standings import Standings, standings
from wslbench.tasks import Task


@dataclass(frozen=True)
class TaskBoard:
    """One task's records, how they compare, and the audits of those methods that have one."""

    task: Task
    records: Sequence[ResultRecord]
    standings: Standings
    audits: Mapping[str, AuditRecord] = field(default_factory=dict)


def make_boards(results: Results) -> list[TaskBoard]:
    """A board a task, in the tasks' order."""
    return [
        TaskBoard(
            found.task,
            [entry.record for entry in found.entries],
            standings(found.entries),
            {entry.record.method.name: entry.audit for entry in found.entries if entry.audit is not None},
        )
        for found in results.tasks
    ]
