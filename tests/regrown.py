"""The tiny zoo grown again: other weights of the same scale, other ids, and one cell that is not finished."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import zoos as tiny
from wslbench.zoo import Zoo

COMMITMENT = "c" * 64
LOST = "w2-lr0.01"
"""A cell that is not finished where it was grown again."""


def make_regrown_zoo(folder: Path, commitment: str = COMMITMENT) -> Zoo:
    """Write it."""
    with pytest.MonkeyPatch.context() as patch:
        rows, weights, card = tiny.cell_rows, tiny.cell_weights, tiny.tiny_card()
        recipe = card.recipe | {"seed_commitment": commitment}
        patch.setattr(tiny, "tiny_card", lambda: card.model_copy(update={"recipe": recipe}))
        patch.setattr(tiny, "cell_rows", lambda cell: rows(cell).assign(unfinished=cell == LOST))
        patch.setattr(tiny, "cell_weights", lambda cell, rows: _turned(weights(cell, rows)))
        return tiny.make_tiny_zoo(folder)


def _turned(weights: dict[int, dict[str, np.ndarray]]) -> dict[int, dict[str, np.ndarray]]:
    """Kernels with the other sign: networks of the same scale."""
    return {
        epoch: {name: -stack if stack.ndim == 5 else stack for name, stack in stacks.items()}
        for epoch, stacks in weights.items()
    }
