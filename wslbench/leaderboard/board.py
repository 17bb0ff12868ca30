"""The board: standings and records of every task that has results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.results import Results
from wslbench.leaderboard.standings import Standings, standings
from wslbench.tasks import Task


@dataclass(frozen=True)
class TaskBoard:
    """One task's records and how they compare."""

    task: Task
    records: Sequence[ResultRecord]
    standings: Standings


def make_boards(results: Results) -> list[TaskBoard]:
    """A board a task, in the tasks' order."""
    return [
        TaskBoard(found.task, [entry.record for entry in found.entries], standings(found.entries))
        for found in results.tasks
    ]
