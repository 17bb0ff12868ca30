"""Draws ``evaluate.svg``: how ``wslbench evaluate baselines/weight_statistics.py`` ends, from the committed results.

``python docs/evaluate_picture.py`` after results of the suite ``quick`` have changed; a test says when that is due.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

from rich.console import Console

from wslbench.bundled import bundled_path
from wslbench.cli._evaluation_report import show
from wslbench.evaluation.result_files import read_record
from wslbench.leaderboard.checked_before import default_cache
from wslbench.leaderboard.placing import place
from wslbench.tasks import load_tasks
from wslbench.zoo import load_zoo

METHOD = "weight_statistics"
WIDTH = 118
PICTURE = Path(__file__).with_name("evaluate.svg")


def main() -> None:
    """Write the picture."""
    book = load_tasks()
    results = bundled_path("results")
    records = [read_record(results / METHOD / f"{task.id}.json") for task in book.select(suite="quick")]
    placed = place(records, results, book, load_zoo, cache=default_cache())
    console = Console(file=StringIO(), record=True, width=WIDTH, force_terminal=True, color_system="truecolor")
    show(placed, records, Path("runs"), console)
    text = console.export_svg(title=f"wslbench evaluate baselines/{METHOD}.py", unique_id="evaluate")
    # A picture that asks no other machine for its letters.
    text = re.sub(r"@font-face \{.*?\}", "", text, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")
    PICTURE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
