"""What is measured on pairs of seeds, averaged over a cell's pairs."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TEST_CONNECTIVITY = "test_mode_connectivity"
"""Mode connectivity by the same formula, from the test error along the train curve."""


def along_curve(pairs: pd.DataFrame, prefix: Literal["train_error", "test_error"]) -> NDArray[np.float64]:
    """Values along the curve ``[pairs, points]``, from start to end; no points where they are not stored."""
    matches = [re.fullmatch(rf"{prefix}_([0-9.]+)", name) for name in pairs.columns]
    points = sorted((float(match[1]), match[0]) for match in matches if match)
    return pairs[[name for _, name in points]].to_numpy(dtype=np.float64)


def with_test_connectivity(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs, and their connectivity in test error where that was measured along the curve."""
    errors = along_curve(pairs, "test_error")
    measured = np.isfinite(errors).all(axis=1)
    if errors.shape[1] < 3 or not measured.any():
        return pairs
    from wslbench.landscape.connectivity import mode_connectivity  # loads torch

    values = np.full(len(pairs), np.nan)
    values[measured] = mode_connectivity(errors[measured])
    return pairs.assign(**{TEST_CONNECTIVITY: values})


def end_errors(pairs: pd.DataFrame) -> pd.Series:
    """Train error of each seed, per cent, as the ends of its curves have it ``[cell_id, seed]``."""
    errors = along_curve(pairs, "train_error")
    if errors.shape[1] < 2:
        return pd.Series(dtype=np.float64)
    ends = [
        pd.DataFrame({"cell_id": pairs["cell_id"], "seed": pairs[seed], "error": errors[:, end]})
        for seed, end in (("seed_a", 0), ("seed_b", -1))
    ]
    together = pd.concat(ends).groupby(["cell_id", "seed"])["error"]
    return together.first()


def pair_means(pairs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean over each cell's pairs that have a value, and its jackknife error over seeds; ``mean``, ``error``.

    Pairs that share a seed are dependent, hence the jackknife: each seed is left out with all its pairs. No error
    where leaving a seed out leaves no pair.
    """
    known = pairs[np.isfinite(pairs[column].to_numpy(dtype=np.float64))]
    rows = {cell: _mean_and_error(own, column) for cell, own in known.groupby("cell_id")}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "error"], dtype=np.float64)


def _mean_and_error(own: pd.DataFrame, column: str) -> tuple[float, float]:
    values = own[column].to_numpy(dtype=np.float64)
    ends = own[["seed_a", "seed_b"]].to_numpy()
    seeds = np.unique(ends)
    kept = (ends[None] != seeds[:, None, None]).all(axis=2)  # [seeds, pairs]
    if not kept.any(axis=1).all():
        return float(values.mean()), float("nan")
    without = (kept * values).sum(1) / kept.sum(1)
    return float(values.mean()), float(np.sqrt((len(seeds) - 1) / len(seeds) * ((without - without.mean()) ** 2).sum()))
