"""Weight statistics, compared with numpy's on one model at a time."""

from __future__ import annotations

import tracemalloc
from functools import partialmethod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wslbench.architectures import Architecture
from wslbench.encodings import statistics
from wslbench.zoo import Models, Source, Stack, load_zoo


@pytest.fixture
def models(built_tiny_zoo: Path) -> Models:
    return load_zoo(built_tiny_zoo).models()[np.random.default_rng(0).permutation(60)[:25]]


def made_of(stack: np.ndarray, name: str = "w") -> Models:
    """Models of a single tensor; never built as a network."""
    count = len(stack)
    source = Source("a", Architecture(builder="cnn"), lambda: {name: stack})
    ids = np.array([f"m{number}" for number in range(count)], object)
    return Models(ids, [source], np.zeros(count, np.intp), np.arange(count))


def test_statistics_are_numpys(models: Models) -> None:
    frame = statistics(models)
    assert frame.index.tolist() == models.ids.tolist()
    for model in models:
        for name, tensor in model.tensors().items():
            values = tensor.astype(np.float64)
            found = frame.loc[
                model.id, [f"{name}.{kind}" for kind in ("mean", "std", "p0", "p25", "p50", "p75", "p100")]
            ]
            expected = [values.mean(), values.std(), *np.percentile(values, [0, 25, 50, 75, 100])]
            np.testing.assert_allclose(found.to_numpy(dtype=float), expected, rtol=1e-6, atol=1e-7)


def test_columns_are_seven_a_tensor_and_hold_no_counter(models: Models) -> None:
    frame = statistics(models)
    assert frame.shape == (25, 7 * 17)
    assert not frame.columns.str.contains("num_batches").any()
    assert set(frame.dtypes) == {np.dtype("float64")}
    assert frame.notna().all(axis=None)


def test_a_row_depends_on_its_model_alone(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = statistics(models)
    pd.testing.assert_frame_equal(statistics(models[::-1]), whole.iloc[::-1])
    alone = pd.concat([statistics(models[[number]]) for number in range(25)])
    pd.testing.assert_frame_equal(alone, whole, rtol=1e-12)
    monkeypatch.setattr(Stack, "blocks", partialmethod(Stack.blocks, max_bytes=1))
    pd.testing.assert_frame_equal(statistics(models), whole, rtol=1e-12)


def test_a_scattered_selection_is_never_in_memory_as_a_whole() -> None:
    models = made_of(np.zeros((2500, 2**13), np.float32))[::-1]  # 80 MB
    tracemalloc.start()
    statistics(models)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6


def test_the_deviation_of_a_narrow_spread_around_a_large_mean_is_exact() -> None:
    stack = (1000 + np.random.default_rng(0).normal(size=(3, 4001)) * 1e-2).astype(np.float32)
    expected = stack.astype(np.float64).std(axis=1)
    np.testing.assert_allclose(statistics(made_of(stack))["w.std"], expected, rtol=1e-5)


def test_a_constant_tensor_has_deviation_zero() -> None:
    frame = statistics(made_of(np.full((2, 7), 0.1, np.float32)))
    assert (frame["w.std"] == 0).all()
    np.testing.assert_allclose(frame.drop(columns="w.std"), 0.1, rtol=1e-7)


def test_tensors_that_an_architecture_lacks_are_missing_values() -> None:
    first = Source("a", Architecture(builder="cnn"), lambda: {"x": np.ones((1, 2), np.float32)})
    second = Source("b", Architecture(builder="cnn"), lambda: {"y": np.ones((1, 3), np.float32)})
    both = Models(np.array(["p", "q"], object), [first, second], np.array([0, 1]), np.array([0, 0]))
    frame = statistics(both)
    assert frame.loc["p"].filter(like="x.").notna().all()
    assert frame.loc["p"].filter(like="y.").isna().all()
    assert frame.loc["q"].filter(like="x.").isna().all()


def test_no_models_make_an_empty_frame(models: Models) -> None:
    assert len(statistics(models[:0])) == 0
