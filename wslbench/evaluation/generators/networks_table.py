"""Judged networks as a table, from which every metric follows: a row a network of a draw.

``seed, network``; ``classes`` and ``classes_finetuned_1``, a character a held-out sample (its predicted class in base
36); ``accuracy_finetuned_5``; ``weight_distance``; and, the same in every row of a seed, the draw's order parameters
``train_loss, mode_connectivity, cka``, ``phase`` (empty where there is none), the ``probability`` of the phase that was
asked for, and the ``track``. What was not judged has no rows.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import ResultError
from wslbench.generation.judge import Judged

IntArray = npt.NDArray[np.int64]
Track = Literal["weights only", "with data"]

TRACKS: Final[tuple[Track, ...]] = ("weights only", "with data")
OF_DRAW: Final = ("train_loss", "mode_connectivity", "cka", "phase", "probability", "track")
COLUMNS: Final = (
    "seed", "network", "classes", "classes_finetuned_1", "accuracy_finetuned_5", "weight_distance", *OF_DRAW,
)  # fmt: skip
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LARGEST: Final = 1e100


def as_rows(judged: Judged, wanted: str, track: Track) -> pd.DataFrame:
    """The rows of one judged draw, without their seed; ``wanted`` is the phase that was asked for."""
    phase = judged.phase
    count = len(judged.quality.classes)
    table = pd.DataFrame(
        {
            "network": np.arange(count),
            "classes": encoded(judged.quality.classes),
            "classes_finetuned_1": encoded(judged.quality.classes_finetuned[1]),
            "accuracy_finetuned_5": judged.quality.finetuned[5],
            "weight_distance": np.nan_to_num(judged.weight_distance, nan=_LARGEST, posinf=_LARGEST),
        }
    )
    if phase is None:
        return table
    return table.assign(
        train_loss=_finite(phase.train_loss),
        mode_connectivity=_finite(phase.mode_connectivity),
        cka=_finite(phase.cka),
        phase=phase.phase or "",
        probability=phase.probability.get(wanted, 0.0),
        track=track,
    )


def encoded(classes: IntArray) -> list[str]:
    """``[n, samples]`` classes as ``n`` texts."""
    return ["".join(_DIGITS[value] for value in row) for row in classes]


def decoded(texts: pd.Series, samples: int, classes: int) -> IntArray:
    """``[n, samples]`` classes.

    Raises
    ------
    ResultError
        If a text is not ``samples`` classes long, or names one that there is not.
    """
    known = _DIGITS[:classes]
    for text in texts:
        if not isinstance(text, str) or len(text) != samples or not set(text) <= set(known):
            raise ResultError(f"a network's classes are not {samples} of the {classes} that there are.")
    return np.array([[known.index(sign) for sign in text] for text in texts], np.int64).reshape(len(texts), samples)


def check_table(table: pd.DataFrame) -> None:
    """Refuse a table that is none of judged networks.

    Raises
    ------
    ResultError
        If a column is missing or strange, a value is not finite, or a draw's facts differ among its rows.
    """
    if sorted(table.columns) != sorted(COLUMNS):
        wrong = sorted(set(table.columns) ^ set(COLUMNS))
        raise ResultError(f"the table of networks lacks, or has beyond what is known, {', '.join(wrong)}.")
    numbers = ["accuracy_finetuned_5", "weight_distance", "train_loss", "mode_connectivity", "cka", "probability"]
    try:
        values = table[numbers].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ResultError(f"the table of networks holds what is no number: {error}") from error
    if not np.isfinite(values[:, [0, 1, 5]]).all() or np.isinf(values).any():
        raise ResultError("the table of networks holds values that are not finite.")
    if table.duplicated(["seed", "network"]).any():
        raise ResultError("the table of networks holds a network twice.")
    if len(table) and (table.groupby("seed")[list(OF_DRAW)].nunique(dropna=False) > 1).to_numpy().any():
        raise ResultError("the order parameters of a draw differ among its networks.")
    if not set(table["track"]) <= set(TRACKS):
        raise ResultError(f"a track is one of {', '.join(TRACKS)}.")


def _finite(value: float) -> float:
    """NaN stands for what could not be measured."""
    return value if np.isfinite(value) else float("nan")
