"""The leaderboard: a pure function of results, tasks and zoos."""

from wslbench.leaderboard.board import TaskBoard, make_boards
from wslbench.leaderboard.console import render_task_table
from wslbench.leaderboard.markdown import reading_of, render_markdown
from wslbench.leaderboard.results import Results, read_results
from wslbench.leaderboard.standings import Standings, standings

__all__ = [
    "Results",
    "Standings",
    "TaskBoard",
    "make_boards",
    "read_results",
    "reading_of",
    "render_markdown",
    "render_task_table",
    "standings",
]
