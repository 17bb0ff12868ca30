"""Across the tasks of a suite, as Markdown: mean ranks, how stable their order is, and who improves on whom."""

from __future__ import annotations

from typing import Final

from wslbench.evaluation.bootstrap import Interval
from wslbench.leaderboard.aggregate import Aggregate

MOST_SHOWN: Final = 24  # methods in the table of pairs; a wider one nobody reads

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


def across(found: Aggregate | None) -> list[str]:
    """The section, or nothing where fewer than two tasks or methods can be put together."""
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
    shown = found.methods[:MOST_SHOWN]
    lines = ["| | " + " | ".join(shown) + " |", "|---|" + "---:|" * len(shown)]
    ends = (found.improvement, found.improvement_low, found.improvement_high)
    for place, one in enumerate(shown):
        row = zip(*(each[place, : len(shown)].tolist() for each in ends), strict=True)
        cells = ["–" if other == place else _chance(*chance) for other, chance in enumerate(row)]
        lines.append(f"| {one} | " + " | ".join(cells) + " |")
    left_out = len(found.methods) - len(shown)
    said = f"\n{left_out} more methods: `wslbench leaderboard compare A B`.\n" if left_out else ""
    return "\n".join(lines) + "\n" + said


def _chance(value: float, low: float, high: float) -> str:
    return f"{_share(value)} [{_share(low)}, {_share(high)}]"


def _share(value: float) -> str:
    """Two decimals without the zero before the point."""
    return f"{value:.2f}".removeprefix("0")
