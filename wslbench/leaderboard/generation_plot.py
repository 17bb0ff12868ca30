"""Accuracy against functional novelty of generated weights: draws, comparators with their envelope, real networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from wslbench.errors import ResultError
from wslbench.evaluation.generators.networks_table import decoded
from wslbench.evaluation.generators.reference import Reference
from wslbench.evaluation.predictions import read_predictions
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.results import TaskEntries
from wslbench.tasks import Task, prepare_generation
from wslbench.zoo import Zoo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, ENVELOPE = "#24292f", "#9aa4ae", "#b3261e"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#003f5c")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
FORMATS: Final = ("png", "svg")


def draw_generation(
    found: Sequence[TaskEntries], folders: Sequence[Path], zoos: dict[str, Zoo], out: Path
) -> list[str]:
    """Draw a panel a task that has results.

    Parameters
    ----------
    found
        Results of generation tasks that stand, as :func:`~wslbench.leaderboard.read_results` gives them.
    folders
        Where they were read; the first that has a result counts.
    out
        A .png or .svg file.

    Returns
    -------
    The tasks that were drawn.

    Raises
    ------
    ResultError
        If no generation task has a result.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.fonttype"] = "none"  # text stays text: it can be searched and read aloud
    shown = [each for each in found if each.entries and each.task.kind == "weight_generation"]
    if not shown:
        raise ResultError("there is no result of a generation task to draw; `wslbench evaluate GENERATOR.py` makes one")
    figure, axes = pyplot.subplots(1, len(shown), figsize=(5.2 * len(shown), 4.4), squeeze=False, layout="constrained")
    for axis, each in zip(axes[0], shown, strict=True):
        _panel(axis, each.task, each.entries, folders, zoos[each.task.zoo])
    figure.savefig(out, dpi=130)
    pyplot.close(figure)
    return [each.task.id for each in shown]


def _panel(axes: Axes, task: Task, entries: Sequence[Entry], folders: Sequence[Path], zoo: Zoo) -> None:
    reference = Reference(prepare_generation(task, zoo))
    committed = reference.comparators
    envelope = reference.scale("weights only").envelope
    for judgement in committed.comparators.values():
        (draw,) = judgement.draw("weights only")
        axes.plot(draw.novelty.mean(), draw.accuracy.mean(), "x", color=FAINT, markersize=5)
    axes.plot(envelope.novelty, envelope.accuracy, "-", color=ENVELOPE, linewidth=1.2, label="comparators' envelope")
    (real,) = committed.real.draw("weights only")
    axes.plot(real.novelty, real.accuracy, ".", color=FAINT, markersize=3, alpha=0.7)
    axes.plot(real.novelty.mean(), real.accuracy.mean(), "*", color=INK, markersize=13, label="held-out real networks")
    for number, entry in enumerate(entries):
        points = _points(reference, task, entry, folders)
        if points is None:
            continue
        style: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": "",
        }
        axes.plot(*points.T, markersize=2, alpha=0.25, **style)
        name = entry.record.method.name
        lift = entry.record.metrics["lift"]
        words = "no lift" if lift.value is None else f"lift {lift.value:.2f}"
        axes.plot(*points.mean(axis=0), markersize=8, markeredgecolor="white", label=f"{name} ({words})", **style)
    axes.set_title(f"{task.id}", loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel("functional novelty (1: a fresh seed)")
    axes.set_ylabel("test accuracy")
    axes.set_xscale("symlog", linthresh=1.0, linscale=1.5)
    axes.set_xticks([0, 0.5, 1, 2, 5, 10], ["0", ".5", "1", "2", "5", "10"])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left")


def _points(reference: Reference, task: Task, entry: Entry, folders: Sequence[Path]) -> np.ndarray | None:
    """``[networks, 2]`` novelty and accuracy over all seeds; None where nothing was judged."""
    name = entry.record.method.name
    path = next(path for folder in folders if (path := folder / name / f"{task.id}.parquet").is_file())
    table: pd.DataFrame = read_predictions(path)
    if not len(table):
        return None
    labels = reference.judge.labels
    known = int(reference.problem.zoo.card.data_set.classes or labels.max() + 1)
    points = []
    for _, rows in table.groupby("seed"):
        classes = decoded(rows["classes"], len(labels), known)
        points.append(
            np.column_stack([reference.judge.originality(classes).distinct, (classes == labels).mean(axis=1)])
        )
    return np.concatenate(points)
