"""What a picture of a method's answers shows: predicted against true values, or accuracy against novelty.

Some hundred points are as good as thousands for the eye, and keep a page small.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.evaluation.scores import Scores
from wslbench.tasks import PHASES, TaskKind

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST: Final = 160


class Points(NamedTuple):
    """Points of the first seed ``[n]``; ``phase`` is an index into :data:`wslbench.tasks.PHASES`, −1 for none."""

    x: FloatArray
    y: FloatArray
    phase: IntArray


def points_of(kind: TaskKind, answers: pd.DataFrame, scores: Scores) -> Points | None:
    """The points of a result; None for phases, which have a confusion matrix.

    Regression: true values on the task's scale, and what was predicted. Generation: novelty and accuracy of each draw.
    """
    if kind == "phase_classification" or not len(answers):
        return None
    if kind == "weight_generation":
        novelty, accuracy = (np.asarray(scores.metrics[name][:, 0]) for name in ("novelty", "accuracy"))
        return Points(novelty, accuracy, np.full(len(novelty), -1))
    rows = answers[answers["seed"] == answers["seed"].min()].sort_values("model_id", ignore_index=True)
    step = -(-len(rows) // MOST)
    rows = rows.iloc[::step]
    places = {phase: number for number, phase in enumerate(PHASES)}
    return Points(
        rows["target"].to_numpy(dtype=np.float64),
        rows["prediction"].to_numpy(dtype=np.float64),
        np.array([places.get(phase, -1) for phase in rows["phase"]], dtype=np.int64),
    )
