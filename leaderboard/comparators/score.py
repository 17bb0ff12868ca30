"""Score the comparators of every generation task, which draws are held against: minutes a task.

Run it after a change to a generation zoo, to its annotations or split, or to how draws are judged, and commit what it
writes: ``python leaderboard/comparators/score.py [TASK …]``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

import wslbench
from wslbench.evaluation.generators.reference import score_comparators
from wslbench.tasks import load_tasks, prepare_generation
from wslbench.zoo.atomic import write_text


def main(chosen: list[str]) -> None:
    """Write ``<task id>.json`` beside this file, for these tasks or for all."""
    torch.set_num_threads(1)
    book = load_tasks()
    for task in book.select(chosen or None, None):
        if task.kind == "weight_generation":
            start = time.monotonic()
            found = score_comparators(prepare_generation(task, wslbench.load_zoo(task.zoo)))
            write_text(Path(__file__).parent / f"{task.id}.json", found.model_dump_json(indent=1) + "\n")
            print(f"{task.id}: {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
