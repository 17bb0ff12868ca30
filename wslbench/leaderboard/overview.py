"""All tasks at a glance: each method's headline on each task, and who beats whom, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from wslbench.evaluation.floors import LEGAL_FLOORS, ORACLE
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import NOTHING
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]

MOST_DUELS: Final = 24  # methods that are held against one another; a wider table nobody reads

HEADLINES = """\
The headline of every method on every task: balanced accuracy for phases, Kendall's τ for everything else, or what the
row says. **Bold**: better than the best legal floor; *slanted*: worse; the paired 95 % interval of the lift excludes 0.
Intervals are not corrected for how many are looked at: of 40, two exclude 0 by chance.
"""

DUELS = """\
On how many tasks the row's method is better than the column's, and on how many worse, where the paired 95 % interval
excludes 0; then the median over the tasks of the difference.
"""


def overview(boards: Sequence[TaskBoard]) -> list[str]:
    """Two tables with what they show; nothing where fewer than two tasks have results."""
    boards = [board for board in boards if board.records]
    methods = _methods(boards)
    if len(boards) < 2 or not methods:
        return []
    return ["## At a glance\n", HEADLINES, _headlines(boards, methods), DUELS, _duels(boards, methods)]


def _methods(boards: Sequence[TaskBoard]) -> list[str]:
    """What is ranked anywhere, by the number of tasks on which it lifts, less those on which it falls."""
    found = {name: 0 for board in boards for name in sorted(board.standings.ranks)}
    for board in boards:
        for record in board.records:
            if record.method.name in found and record.lift is not None:
                found[record.method.name] += _sign(record.lift.low, record.lift.high)
    return sorted(found, key=lambda name: (-found[name], name))


def _headlines(boards: Sequence[TaskBoard], methods: Sequence[str]) -> str:
    lines = _heading(["task", *methods, "best legal floor", "oracle"])
    for board in boards:
        headline = board.records[0].task.headline
        records = {record.method.name: record for record in board.records if record.status == "ok"}
        cells = []
        for name in methods:
            value = _shown(records[name].metrics[headline].value) if name in records else NOTHING
            lift = records[name].lift if name in records else None
            mark = {1: "**", -1: "*", 0: ""}[0 if lift is None else _sign(lift.low, lift.high)]
            cells.append(f"{mark}{value}{mark}")
        floors = {
            name: score
            for name in LEGAL_FLOORS
            if name in records and (score := records[name].metrics[headline].value) is not None
        }
        sign = 1 if METRICS[headline].higher_is_better else -1
        best = max(floors, key=lambda name: sign * floors[name], default=None)
        cells.append(NOTHING if best is None else f"{_shown(floors[best])} ({best})")
        cells.append(_shown(records[ORACLE].metrics[headline].value) if ORACLE in records else NOTHING)
        lines.append(f"| {board.task.id} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _duels(boards: Sequence[TaskBoard], methods: Sequence[str]) -> str:
    first = methods[:MOST_DUELS]
    rivals = [*first, *(name for name in (*LEGAL_FLOORS, ORACLE) if name != "chance")]
    lines = _heading(["", *rivals])
    leads = np.full((len(rivals), len(rivals), len(boards), 3), np.nan)
    for task, board in enumerate(boards):
        for place, name in enumerate(first):
            ahead = board.standings.leads(name, rivals[place + 1 :])
            leads[place, place + 1 :, task] = ahead
            leads[place + 1 :, place, task] = -ahead[:, [0, 2, 1]]  # the other way round
    for place, name in enumerate(first):
        cells = [_duel(pair) for pair in leads[place]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    left_out = len(methods) - len(first)
    return (
        "\n".join(lines)
        + "\n"
        + (f"\n{left_out} more methods: `wslbench leaderboard compare A B`.\n" if left_out else "")
    )


def _duel(leads: FloatArray) -> str:
    """Wins, losses and the median difference of one pair, from ``[tasks, 3]``: value, low, high."""
    both = leads[~np.isnan(leads).all(axis=1)]
    if not len(both):
        return NOTHING
    signs = [_sign(low, high) for _, low, high in both.tolist()]
    return f"{signs.count(1)} : {signs.count(-1)}, {_shown(median(both[:, 0].tolist()))}"


def _heading(names: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]


def _sign(low: float | None, high: float | None) -> int:
    """1 for an interval above 0, −1 for one below, 0 for one that holds it or does not exist."""
    if low is None or high is None:
        return 0
    return int(low > 0) - int(high < 0)


def _shown(value: float | None) -> str:
    """Two decimals without the zero before the point."""
    if value is None or value != value:
        return NOTHING
    return f"{value:.2f}".replace("-0.00", "0.00").replace("0.", ".", 1).replace("-", "−")
