"""The board as one Markdown page: a reading that people write, all tasks at a glance and across, a section a task."""

from __future__ import annotations

from collections.abc import Sequence

from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.across import across
from wslbench.leaderboard.aggregate import Aggregate
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import number
from wslbench.leaderboard.overview import overview

TITLE = "# wslbench leaderboard\n"

LEGEND = """\
Intervals are 95 % bootstrap intervals over the held-out units, the same resamples for every method. *Lift* is the
headline less that of the best legal floor, paired; a method is better where its whole interval lies above 0. Methods
of one rank cannot be told apart. *Seed sd*: the standard deviation over a method's seeds, which no interval has in
it. A *floor* is what needs no look at the weights' values, or only what decodes the hyper-parameters from them; the
*oracle* is told the grid, load and temperature, which methods must not see; a *ceiling* says what could be reached.
Failed results hold chance predictions and stand last. *Tier*: `process` stops accidents, not attackers, and who
handed a result in says which tier it was run in: both are an honour system. *Drop* is what the headline loses when
the test models' hidden units are permuted, and when they are scaled, so that no function changes (`wslbench audit`):
nothing, for a method that is blind to it. *New load* and *new temp.* are the headline of the same target where whole
loads or temperatures are held out. *Worst phase*: the one with the least recall, or the largest mean absolute error
over the target's standard deviation. *Covers*: the share of the models that the method supports; the others are
predicted by chance.
"""

VERIFIED = """\
Tier `verified`: a maintainer ran the method on a zoo that was grown again from secret seeds. *Re-grown* is its headline
there, fit on the public zoo; *gap* how much better the public result is, over the same runs and resamples. Above 0
throughout, the row says *memorised*. Ranks and everything across tasks are of the public results.
"""

READING = "<!-- reading: kept when this page is written anew -->", "<!-- end of reading -->"
"""Between these two lines stands what people have to say about the tables."""


def reading_of(page: str) -> str:
    """What people wrote on an earlier page; empty where there is nothing."""
    first, last = READING
    return page.split(first, 1)[1].split(last, 1)[0].strip("\n") if first in page and last in page else ""


def with_reading(page: str, reading: str) -> str:
    """A page with Markdown of one's own before its tables, if there is any."""
    if not reading:
        return page
    return page.replace(TITLE, f"{TITLE}\n{READING[0]}\n\n{reading}\n\n{READING[1]}\n", 1)


def render_markdown(
    boards: Sequence[TaskBoard], problems: Sequence[str], together: Aggregate | None, notes: Sequence[str] = ()
) -> str:
    """The page: a section a task, then whatever is not shown and why.

    Parameters
    ----------
    together
        What :func:`~wslbench.leaderboard.aggregate.aggregate` says of these boards.
    notes
        What should be known of what is shown.
    """
    verified = [VERIFIED] if any(board.verified for board in boards) else []
    parts = [TITLE, LEGEND, *verified, *overview(boards), *across(together)]
    parts += [_section(board) for board in boards if board.records]
    if problems:
        parts.append("## Not shown\n")
        parts.append("".join(f"- {_cell(problem)}\n" for problem in problems))
    if notes:
        parts.append("## To be known of what is shown\n")
        parts.append("".join(f"- {_cell(note)}\n" for note in notes))
    return "\n".join(parts)


def _section(board: TaskBoard) -> str:
    records = board.records
    task = records[0].task
    _, shown, texts = board.table
    lines = [
        f"## {task.id}\n",
        f"{task.label}, split {task.protocol}: {task.models} models of {task.cells} cells, held out by {task.unit}."
        f"{_resolution(board)}{_left_out(records[0])}\n",
        "| " + " | ".join(_cell(column.heading) for column in shown) + " |",
        "|" + "|".join("---:" if column.numeric else "---" for column in shown) + "|",
    ]
    for row in zip(*texts, strict=True):
        lines.append("| " + " | ".join([_cell(text) for text in row]) + " |")
    return "\n".join(lines) + "\n"


def _resolution(board: TaskBoard) -> str:
    smallest = board.standings.resolvable
    return "" if smallest is None else f" Differences below about {number(smallest)} cannot be resolved."


def _left_out(record: ResultRecord) -> str:
    if not record.left_out:
        return ""
    phases = sorted({phase for absent in record.absent_phases.values() for phase in absent})
    return f" Left out: {record.left_out} models of phases ({', '.join(phases)}) that their fold does not train on."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") if "|" in text or "\n" in text else text
