"""Alignment of seeds: one end of a path brought as near to the other as symmetries allow, its function unchanged."""

from __future__ import annotations

import torch

from wslbench.symmetry import align, apply, symmetries
from wslbench.training import ModelStack


def aligned_ends(start: ModelStack, end: ModelStack) -> ModelStack:
    """The networks of ``end``, each aligned with the one of ``start`` by weight matching, scales folded out.

    Batch-norm statistics follow; what is compared are the parameters.

    Parameters
    ----------
    start, end
        The pairs' ends ``[pairs]``, of one architecture.

    Raises
    ------
    ArchitectureError
        If the symmetries of the architecture cannot be derived.
    """
    group = symmetries(end.architecture)
    reference, moved = (
        {name: tensor.detach().cpu().numpy() for name, tensor in (stack.parameters | stack.statistics).items()}
        for stack in (start, end)
    )
    found = apply(group, align(group, moved, reference, scaling=True, compared=start.parameters), moved)
    tensors = {name: torch.from_numpy(tensor).to(end.device) for name, tensor in found.items()}
    return ModelStack(
        end.architecture,
        {name: tensors[name] for name in end.parameters},
        {name: tensors[name] for name in end.statistics},
    )
