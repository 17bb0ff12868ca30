"""Random vectors over the parameters of stacked networks, and vectors as flat rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wslbench.training.stack import Tensors


def generators_of(seeds: Sequence[int]) -> list[torch.Generator]:
    """A generator a network: what it draws depends on its own seed alone."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def draw_signs(generators: Sequence[torch.Generator], like: Tensors) -> Tensors:
    """Independent signs (Rademacher) for every parameter; ``like`` has a row a generator."""
    # One call a network: it draws what a call a tensor would, one after the other.
    numbers = sum(tensor[0].numel() for tensor in like.values())
    drawn = torch.stack([torch.randint(0, 2, (numbers,), generator=own) for own in generators])
    signs = unflatten(drawn * 2 - 1, like)
    return {name: signs[name].to(tensor.device) for name, tensor in like.items()}


def draw_normal(generators: Sequence[torch.Generator], like: Tensors) -> Tensors:
    """Independent standard normal numbers for every parameter."""
    rows = [{n: torch.randn(t.shape[1:], generator=own, dtype=t.dtype) for n, t in like.items()} for own in generators]
    # Drawn on the processor and then moved: the same numbers on every device.
    return {name: torch.stack([row[name] for row in rows]).to(tensor.device) for name, tensor in like.items()}


def inner(first: Tensors, second: Tensors) -> Tensor:
    """Inner products ``[size]``, added up in double precision."""
    return torch.stack([(first[n].double() * second[n].double()).flatten(1).sum(1) for n in first]).sum(0)


def flatten(tensors: Tensors) -> Tensor:
    """``[size, parameters]`` in double precision, where orthogonalisation happens."""
    return torch.cat([tensor.flatten(1).double() for tensor in tensors.values()], dim=1)


def unflatten(flat: Tensor, like: Tensors) -> Tensors:
    """The reverse of :func:`flatten`, in the dtypes of ``like``."""
    pieces = torch.split(flat, [tensor[0].numel() for tensor in like.values()], dim=1)
    return {n: piece.reshape(-1, *t.shape[1:]).to(t.dtype) for (n, t), piece in zip(like.items(), pieces, strict=True)}
