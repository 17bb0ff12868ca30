"""Ids of runs and checkpoints, derived from what they are."""

from __future__ import annotations

import hashlib


def run_id(cell_id: str, seed: int) -> str:
    """Id of a training run: one seed of one cell."""
    return f"{cell_id}-seed{seed}"


def model_id(namespace: str, cell_id: str, seed: int, epoch: int) -> str:
    """Id of a checkpoint: 16 hexadecimal digits that tell nothing about the cell.

    Shards are sorted by it, so that a row's position carries no information either. The namespace is that of the zoo's
    card: :attr:`ZooCard.namespace`.
    """
    return hashlib.sha256(f"{namespace}/{cell_id}/{seed}/{epoch}".encode()).hexdigest()[:16]
