"""Across the tasks of a suite, as Markdown: mean ranks, how stable their order is, and who improves on whom."""

from __future__ import annotations

from collections.abc import Sequence

from wslbench.evaluation.bootstrap import Interval
from wslbench.leaderboard.aggregate import Aggregate, aggregate
from wslbench.leaderboard.board import TaskBoard

RANKS = """\
Rank of a method among those of this table, averaged over tasks; only methods with a result on every task take part, a
failed one ranks last. *These tasks*: the 95 % interval if other held-out units had been drawn; *other tasks*: if other
targets had been asked for as well, each with all its protocols. *First*: how often a method leads when targets and
units are drawn anew, floors and oracle aside.
"""

IMPROVEMENT = """\
Probability that the row's method scores higher than the column's on a task of the suite when units are drawn anew,
with its 95 % interval over targets; .50 where nothing tells them apart. How much higher is not in it.
"""


def across(boards: Sequence[TaskBoard]) -> list[str]:
    """The section, or nothing where fewer than two tasks or methods can be put together."""
    found = aggregate(boards)
    if found is None:
        return []
    return ["## Across tasks\n", _what(found), RANKS, _ranks(found), IMPROVEMENT, _improvement(found)]


def _what(found: Aggregate) -> str:
    said = f"{len(found.tasks)} tasks of {len(found.targets)} targets."
    if found.stability is not None:
        said += (
            f" The order of the {len(found.contenders)} methods that are no floor and no oracle has a Kendall τ of "
            f"{found.stability:.2f} with their order when targets and units are drawn anew, on average."
        )
    if found.partial:
        parts = ", ".join(f"{name} ({count})" for name, count in found.partial.items())
        said += f" Without a result on every task, and so not in the tables: {parts}."
    return said + "\n"


def _ranks(found: Aggregate) -> str:
    lines = ["| method | mean rank | these tasks | other tasks | first |", "|---|---:|---:|---:|---:|"]
    for name in found.methods:
        rank, other = found.mean_rank[name], found.mean_rank_over_tasks[name]
        first = f"{100 * found.first[name]:.0f} %" if name in found.first else "–"
        lines.append(f"| {name} | {rank.value:.1f} | {_ends(rank)} | {_ends(other)} | {first} |")
    return "\n".join(lines) + "\n"


def _ends(interval: Interval) -> str:
    return f"[{interval.low:.1f}, {interval.high:.1f}]"


def _improvement(found: Aggregate) -> str:
    lines = ["| | " + " | ".join(found.methods) + " |", "|---|" + "---:|" * len(found.methods)]
    for one in found.methods:
        cells = ["–" if one == other else _chance(found.improves(one, other)) for other in found.methods]
        lines.append(f"| {one} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _chance(interval: Interval) -> str:
    return f"{_share(interval.value)} [{_share(interval.low)}, {_share(interval.high)}]"


def _share(value: float) -> str:
    """Two decimals without the zero before the point."""
    return f"{value:.2f}".removeprefix("0")
