"""From judged networks to scores: lift, and everything that is reported beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import ResultError
from wslbench.evaluation.generators.networks_table import Track, check_table, decoded
from wslbench.evaluation.generators.reference import Judgement, Reference
from wslbench.evaluation.scores import Scores
from wslbench.generation import error_overlap
from wslbench.generation.lift import RESAMPLES, Draw, draw_weights
from wslbench.generation.phase_of_draw import DIVERSE_FROM
from wslbench.tasks import DRAWN

FloatArray = npt.NDArray[np.float64]

SCORING_VERSION: Final = 1  # raised whenever the same judged networks would get other numbers

OF_NETWORKS: Final = (
    "accuracy", "accuracy_finetuned_1", "accuracy_finetuned_5", "novelty", "diversity", "error_overlap",
    "weight_distance",
)  # fmt: skip
METRICS_OF_DRAWS: Final = ("lift", *OF_NETWORKS, "sources", "phase_fidelity", "train_loss", "mode_connectivity", "cka")


def score_networks(reference: Reference, table: pd.DataFrame) -> Scores:
    """Score the draws of all seeds.

    Parameters
    ----------
    table
        As :mod:`~wslbench.evaluation.generators.networks_table` has it. Seeds without rows were not judged and are left
        out of the means.

    Returns
    -------
    Metrics ``[seeds, 1 + resamples]``, the networks of a draw being resampled; NaN where nothing was judged, and for
    the lift of a draw that lies outside the comparators' range of novelty.

    Raises
    ------
    ResultError
        If the table is not one of judged networks.
    """
    check_table(table)
    draws = [_scores(reference, rows) for _, rows in table.sort_values(["seed", "network"]).groupby("seed")]
    if not draws:
        draws = [{name: np.full(1 + RESAMPLES, np.nan) for name in METRICS_OF_DRAWS}]
    return Scores({name: np.stack([draw[name] for draw in draws]) for name in METRICS_OF_DRAWS}, {}, {})


def _scores(reference: Reference, rows: pd.DataFrame) -> dict[str, FloatArray]:
    if list(rows["network"]) != list(range(DRAWN)):
        raise ResultError(f"a draw has {len(rows)} networks instead of {DRAWN}.")
    labels = reference.judge.labels
    samples, known = len(labels), int(reference.problem.zoo.card.data_set.classes or labels.max() + 1)
    classes = decoded(rows["classes"], samples, known)
    tuned = decoded(rows["classes_finetuned_1"], samples, known)
    found = reference.judge.originality(classes)
    accuracy = (classes == labels).mean(axis=1)
    of_networks = {
        "accuracy": accuracy,
        "accuracy_finetuned_1": (tuned == labels).mean(axis=1),
        "accuracy_finetuned_5": rows["accuracy_finetuned_5"].to_numpy(dtype=np.float64),
        "novelty": found.novelty,
        "diversity": found.diversity,
        "error_overlap": error_overlap(classes, reference.judge.train_classes[found.nearest], labels),
        "weight_distance": rows["weight_distance"].to_numpy(dtype=np.float64),
    }
    first = rows.iloc[0]
    track: Track = first["track"]
    scale = reference.scale(track)
    weights = draw_weights(found.nearest, scale.seed)
    draw = Draw(found.distinct, accuracy, found.nearest)
    metrics = {"lift": scale.draws(draw), "sources": _constant(draw.sources)}
    metrics |= {name: weights @ values for name, values in of_networks.items()}
    diverse = bool(found.diversity.mean() >= DIVERSE_FROM)
    metrics["phase_fidelity"] = _constant(float(first["probability"]) if diverse else 0.0)
    return metrics | {name: _constant(float(first[name])) for name in ("train_loss", "mode_connectivity", "cka")}


def score_judgement(reference: Reference, judgement: Judgement, track: Track) -> list[Mapping[str, FloatArray]]:
    """Lift, accuracy and novelty of a comparator, or of held-out networks: as it came, then fine-tuned, with data."""
    scale = reference.scale(track)
    return [
        {"lift": scale.draws(draw), "accuracy": weights @ draw.accuracy, "novelty": weights @ draw.novelty}
        for draw in judgement.draw(track)
        for weights in [draw_weights(draw.source, scale.seed)]
    ]


def _constant(value: float) -> FloatArray:
    return np.full(1 + RESAMPLES, value)
