"""Trace and top eigenvalue of the loss Hessian, for a stack of networks at once.

Evaluation mode (the stored batch-norm statistics, held fixed), mean cross-entropy over a fixed subset of
the clean train set, Hessian with respect to all trainable parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap
from torch.nn.functional import cross_entropy

from wslbench.training import ModelStack
from wslbench.training.stack import Tensors, batch_norms, networks_per_pass

HessianProduct = Callable[[Tensors], Tensors]


class TraceEstimate(NamedTuple):
    """Hutchinson's estimate: mean over probes, standard error of that mean ``[size]``, number of probes."""

    trace: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    probes: int


class EigenEstimate(NamedTuple):
    """The eigenvalue of largest modulus, signed, and the residual norm ``||H v − λ v||`` ``[size]``."""

    eigenvalue: NDArray[np.float64]
    residual: NDArray[np.float64]


def hessian_product(stack: ModelStack, inputs: Tensor, labels: Tensor) -> HessianProduct:
    """``v -> H v`` for every network of a stack: forward-mode over reverse-mode differentiation."""
    template = stack.architecture.module().eval()
    for layer in batch_norms(template):
        layer.num_batches_tracked = None

    def loss(parameters: Tensors, statistics: Tensors) -> Tensor:
        return cross_entropy(functional_call(template, (parameters, statistics), (inputs,)), labels)

    def product_of_one(parameters: Tensors, statistics: Tensors, vector: Tensors) -> Tensors:
        return jvp(lambda p: grad(loss)(p, statistics), (parameters,), (vector,))[1]  # type: ignore[no-any-return]

    stacked = vmap(product_of_one, chunk_size=networks_per_pass(len(inputs)))
    return lambda vector: stacked(stack.parameters, stack.statistics, vector)


def hessian_trace(
    stack: ModelStack,
    inputs: Tensor,
    labels: Tensor,
    seed: int,
    relative_tolerance: float = 0.1,
    minimum_probes: int = 8,
    maximum_probes: int = 64,
) -> TraceEstimate:
    """Hutchinson's trace estimate with Rademacher probes (Hutchinson 1989).

    Probes are added until the standard error of every network is below ``relative_tolerance`` times the
    *modulus* of its running mean (a negative mean must not end it), or ``maximum_probes`` are spent. The
    standard error says what was reached.
    """
    product = hessian_product(stack, inputs, labels)
    generator = torch.Generator().manual_seed(seed)
    samples: list[NDArray[np.float64]] = []
    while True:
        probe = {name: _rademacher(tensor, generator) for name, tensor in stack.parameters.items()}
        samples.append(_inner(probe, product(probe)).numpy())
        drawn = np.stack(samples)
        if len(drawn) < minimum_probes:
            continue
        mean = drawn.mean(0)
        error = drawn.std(0, ddof=1) / np.sqrt(len(drawn))
        if len(drawn) >= maximum_probes or (error <= relative_tolerance * np.abs(mean)).all():
            return TraceEstimate(mean, error, len(drawn))


def top_eigenvalue(
    stack: ModelStack,
    inputs: Tensor,
    labels: Tensor,
    seed: int,
    iterations: int = 20,
    relative_tolerance: float = 1e-2,
) -> EigenEstimate:
    """Lanczos iteration with full re-orthogonalisation, for every network at once.

    Stops when every network's residual is below ``relative_tolerance`` times its eigenvalue's modulus, or
    after ``iterations``; the residual says how good the value is: some eigenvalue lies within it.
    """
    product = hessian_product(stack, inputs, labels)
    generator = torch.Generator().manual_seed(seed)
    vector = {name: torch.randn(t.shape, generator=generator, dtype=t.dtype) for name, t in stack.parameters.items()}
    flat = _flatten(vector)
    basis = [flat / flat.norm(dim=1, keepdim=True)]
    diagonal: list[Tensor] = []
    off_diagonal: list[Tensor] = []
    largest = min(iterations, flat.shape[1])
    while True:
        image = _flatten(product(_unflatten(basis[-1], stack.parameters)))
        diagonal.append((image * basis[-1]).sum(1))
        for _ in range(2):  # twice is enough (Parlett): orthogonal to working precision
            for earlier in basis:
                image = image - (image * earlier).sum(1, keepdim=True) * earlier
        norm = image.norm(dim=1)
        eigenvalue, residual = _ritz(torch.stack(diagonal, 1), off_diagonal, norm)
        converged = bool((residual <= relative_tolerance * eigenvalue.abs() + 1e-12).all())
        if converged or len(diagonal) >= largest:
            return EigenEstimate(eigenvalue.numpy(), residual.numpy())
        off_diagonal.append(norm)
        basis.append(image / norm.clamp_min(1e-30).unsqueeze(1))


def _ritz(diagonal: Tensor, off_diagonal: list[Tensor], next_norm: Tensor) -> tuple[Tensor, Tensor]:
    """Ritz value of largest modulus and its residual (last component of its vector times the next norm)."""
    tridiagonal = torch.diag_embed(diagonal)
    if off_diagonal:
        side = torch.stack(off_diagonal, 1)
        tridiagonal = tridiagonal + torch.diag_embed(side, 1) + torch.diag_embed(side, -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    pick = values.abs().argmax(1)
    rows = torch.arange(len(pick))
    return values[rows, pick], (vectors[rows, -1, pick] * next_norm).abs()


def _rademacher(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, like.shape, generator=generator).to(like.dtype) * 2 - 1


def _inner(first: Tensors, second: Tensors) -> Tensor:
    return torch.stack([(first[n].double() * second[n].double()).flatten(1).sum(1) for n in first]).sum(0)


def _flatten(tensors: Tensors) -> Tensor:
    """``[size, parameters]`` in double precision, where the orthogonalisation happens."""
    return torch.cat([tensor.flatten(1).double() for tensor in tensors.values()], dim=1)


def _unflatten(flat: Tensor, like: Tensors) -> Tensors:
    pieces = torch.split(flat, [tensor[0].numel() for tensor in like.values()], dim=1)
    return {n: piece.reshape(t.shape).to(t.dtype) for (n, t), piece in zip(like.items(), pieces, strict=True)}
