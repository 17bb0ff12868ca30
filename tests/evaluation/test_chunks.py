"""Chunks: every model once, no two seeds of a cell together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.conftest import NUMBERS_UNIT
from wslbench.architectures import Architecture
from wslbench.evaluation.chunks import largest_chunk, random_chunks
from wslbench.zoo.models import Models, Source


@given(st.lists(st.integers(0, 12), max_size=80), st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 5))
def test_chunks_partition_the_models_and_part_siblings(cells: list[int], seed: int, largest: int, fewest: int) -> None:
    chunks = random_chunks(np.array(cells, dtype=int), np.random.default_rng(seed), largest, fewest)
    dealt = [int(position) for chunk in chunks for position in chunk]
    assert sorted(dealt) == list(range(len(cells)))
    for chunk in chunks:
        inside = [cells[position] for position in chunk]
        assert len(set(inside)) == len(inside) > 0
        assert len(chunk) <= largest
    assert len(chunks) >= min(fewest, len(cells))


def test_chunks_are_even_and_random() -> None:
    cells = np.repeat(np.arange(30), 5)
    first = random_chunks(cells, np.random.default_rng(0))
    again = random_chunks(cells, np.random.default_rng(0))
    other = random_chunks(cells, np.random.default_rng(1))
    assert [len(chunk) for chunk in first] == [30] * 5
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(np.sort(a), np.sort(b)) for a, b in zip(first, other, strict=True))
    # Which seed of a cell meets which of another is up to chance.
    seeds = [frozenset(position % 5 for position in chunk) for chunk in first]
    assert all(len(each) > 1 for each in seeds)


def test_chunks_of_large_models_are_small() -> None:
    big = Source("big", Architecture(builder="cnn"), lambda: {"w": np.broadcast_to(np.float32(0), (3, 2**25))})
    nowhere = np.zeros(3, dtype=np.intp)
    models = Models(np.array(["a", "b", "c"], dtype=object), [big], nowhere, np.arange(3))
    assert largest_chunk(models) == 2  # 128 MiB each
    assert largest_chunk(NUMBERS_UNIT.test.models) == 256
