"""Random chunks of models that never hold two seeds of a cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from wslbench.zoo.models import Models

_MODELS: Final = 256
_BYTES: Final = 256 * 2**20


def largest_chunk(models: Models) -> int:
    """How many of these models may stand in a chunk: at most 256, and fewer where those would take over 256 MiB."""
    sizes = [
        4 * sum(math.prod(stack.shape(name)) for name in stack.keys())  # noqa: SIM118 - a Stack is no mapping
        for stack in models.by_architecture()
    ]
    return max(1, min(_MODELS, _BYTES // max([1, *sizes])))


def random_chunks(
    cells: np.ndarray, rng: np.random.Generator, largest: int = _MODELS, fewest: int = 1
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
