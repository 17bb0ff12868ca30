"""Two methods side by side: by how much one is better than the other on every task that both have, paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from wslbench.errors import ResultError
from wslbench.evaluation.bootstrap import Interval
from wslbench.leaderboard.aggregate import Aggregate, aggregate
from wslbench.leaderboard.board import TaskBoard

Verdict = Literal["better", "worse", "tie", "failed"]


class Duel(NamedTuple):
    """One task.

    Attributes
    ----------
    one, other
        Headlines; NaN where undefined.
    lead
        By how much the first method is better, in the headline's units, with its paired 95 % interval; None where
        either failed.
    verdict
        ``better`` or ``worse`` only where the interval excludes 0.
    """

    task: str
    metric: str
    one: float
    other: float
    lead: Interval | None
    verdict: Verdict


class Comparison(NamedTuple):
    """Two methods on their common tasks; ``together`` says how they do over all of these, None with fewer than two."""

    one: str
    other: str
    duels: list[Duel]
    together: Aggregate | None

    def count(self, verdict: Verdict) -> int:
        """On how many tasks the verdict is this."""
        return sum(duel.verdict == verdict for duel in self.duels)


def compare(
    boards: Sequence[TaskBoard], one: str, other: str, refused: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Comparison:
    """Compare two methods.

    Parameters
    ----------
    refused
        By method, what keeps records of it off the board, as in :class:`~wslbench.leaderboard.results.Results`.

    Raises
    ------
    ResultError
        If one of them is not on the board (the message says so where it has records that do not stand), or they have
        no task in common.
    """
    methods = {record.method.name for board in boards for record in board.records}
    for name in (one, other):
        if name not in methods and name in refused:
            first, *more = refused[name]
            others = f" And {len(more)} more of it do not." if more else ""
            raise ResultError(f"There is a result of {name!r} here, but it does not stand: {first}{others}")
        if name not in methods:
            raise ResultError(
                f"There is no result of {name!r} here; there are results of {', '.join(sorted(methods))}."
            )
    common = [board for board in boards if {one, other} <= {record.method.name for record in board.records}]
    if not common:
        raise ResultError(f"{one} and {other} have no task in common.")
    pair = [
        TaskBoard(board.task, [e for e in board.entries if e.record.method.name in (one, other)], board.standings)
        for board in common
    ]
    return Comparison(one, other, [_duel(board, one, other) for board in common], aggregate(pair))


def _duel(board: TaskBoard, one: str, other: str) -> Duel:
    values = {}
    for entry in board.entries:
        value = entry.record.metrics[board.task.headline].value
        values[entry.record.method.name] = float("nan") if value is None else value
    lead = board.standings.lead(one, other)
    verdict: Verdict = "failed" if lead is None else "better" if lead.low > 0 else "worse" if lead.high < 0 else "tie"
    return Duel(board.task.id, board.task.headline, values[one], values[other], lead, verdict)
