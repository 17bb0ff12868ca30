"""Random chunks of models that never hold two seeds of a cell."""

from __future__ import annotations

import math

import numpy as np

MODELS_A_CHUNK = 256


def random_chunks(
    cells: np.ndarray, rng: np.random.Generator, largest: int = MODELS_A_CHUNK, fewest: int = 1
) -> list[np.ndarray]:
    """Deal models into chunks in which each cell stands at most once.

    Otherwise a method could compare siblings inside ``predict`` (CKA between two seeds gives the phase
    away), and predicting from one model would no longer be what the task asks.

    Parameters
    ----------
    cells
        Cell of each model, ``[n]``, of any comparable type.
    rng
        Decides which models meet, and in which order.
    largest
        Most models in a chunk.
    fewest
        Fewest chunks (never more than models).

    Returns
    -------
    list of np.ndarray
        Positions into ``cells``; together each position once; no chunk is empty; sizes differ by few.
    """
    count = len(cells)
    if count == 0:
        return []
    _, cell_of, seeds_of = np.unique(cells, return_inverse=True, return_counts=True)
    chunks = min(count, max(int(seeds_of.max()), math.ceil(count / largest), fewest))
    # Dealing cell after cell round the table: a cell's seeds go to consecutive, hence distinct, chunks.
    order = rng.permutation(count)
    cell_rank = rng.permutation(len(seeds_of))
    order = order[np.argsort(cell_rank[cell_of[order]], kind="stable")]
    seat = np.empty(count, dtype=np.int64)
    seat[order] = rng.permutation(chunks)[np.arange(count) % chunks]
    return [rng.permutation(np.flatnonzero(seat == chunk)) for chunk in range(chunks)]
