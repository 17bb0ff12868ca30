"""Hashes change with content and with nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wslbench.zoo.hashing import hash_rows, hash_tensors

ROWS = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, np.nan, 3.0], "n": [1, 2, 3], "t": ["p", None, "q"]})


@pytest.mark.parametrize(
    "same",
    [
        ROWS.iloc[::-1],
        ROWS[["t", "n", "x", "id"]],
        ROWS.astype({"n": "int8"}),
        ROWS.astype({"t": object, "id": "category"}),
        ROWS.set_axis([7, 8, 9]),
    ],
    ids=["row order", "column order", "integer width", "text kinds", "index"],
)
def test_the_hash_of_rows_ignores_how_they_are_held(same: pd.DataFrame) -> None:
    assert hash_rows(same, ["id"]) == hash_rows(ROWS, ["id"])


@pytest.mark.parametrize(
    "other",
    [
        ROWS.assign(x=[1.0, np.nan, 3.0000001]),
        ROWS.assign(t=["p", "", "q"]),
        ROWS.assign(n=[1.0, 2.0, 3.0]),
        ROWS.rename(columns={"n": "m"}),
        ROWS.iloc[:2],
        ROWS.drop(columns="t"),
        ROWS.assign(t=["q", None, "p"]),
    ],
    ids=["value", "missing text", "kind", "name", "row gone", "column gone", "swap"],
)
def test_the_hash_of_rows_sees_every_change(other: pd.DataFrame) -> None:
    assert hash_rows(other, ["id"]) != hash_rows(ROWS, ["id"])


def test_the_hash_of_tensors_sees_names_shapes_and_bits() -> None:
    values = np.arange(6, dtype=np.float32)
    same = {"a": values.reshape(2, 3), "b": values}
    different = [
        {"a": values.reshape(3, 2), "b": values},
        {"a": values.reshape(2, 3), "c": values},
        {"a": values.reshape(2, 3), "b": values + np.float32(1e-7)},
        {"a": values.reshape(2, 3), "b": -values},
        {"a": values.reshape(2, 3)},
    ]
    assert hash_tensors(dict(reversed(same.items()))) == hash_tensors(same)
    assert hash_tensors({**same, "a": np.asfortranarray(same["a"])}) == hash_tensors(same)
    assert len({hash_tensors(tensors) for tensors in [same, *different]}) == 6
