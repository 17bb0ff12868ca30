"""Trace and top eigenvalue of the loss Hessian, for a stack of networks at once.

Evaluation mode (the stored batch-norm statistics, held fixed), mean loss over a fixed subset of the clean
train set, Hessian with respect to all trainable parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from wslbench.training import ModelStack, Objective
from wslbench.training.stack import Tensors, evaluation_template, networks_per_pass

HessianProduct = Callable[[Tensors], Tensors]


class TraceEstimate(NamedTuple):
    """Hutchinson's estimate, a value a network ``[size]``: mean over its probes, standard error, probes drawn."""

    trace: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    probes: NDArray[np.int64]


class EigenEstimate(NamedTuple):
    """The eigenvalue of largest modulus, signed, and the residual norm ``||H v − λ v||`` ``[size]``."""

    eigenvalue: NDArray[np.float64]
    residual: NDArray[np.float64]


def hessian_product(stack: ModelStack, objective: Objective, samples: NDArray[np.int64]) -> HessianProduct:
    """``v -> H v`` for every network of a stack: forward-mode over reverse-mode differentiation.

    The loss is the objective's mean over the train samples of these numbers, as they are.
    """
    template = evaluation_template(stack.architecture)
    batch = objective.clean(samples)

    def product_of_one(parameters: Tensors, statistics: Tensors, vector: Tensors, *tensors: Tensor) -> Tensors:
        def loss(at: Tensors) -> Tensor:
            return objective.loss(lambda x: functional_call(template, (at, statistics), (x,)), *tensors)

        return jvp(grad(loss), (parameters,), (vector,))[1]  # type: ignore[no-any-return]

    stacked = vmap(product_of_one, in_dims=(0, 0, 0, *batch.dims), chunk_size=networks_per_pass(batch.samples))
    return lambda vector: stacked(stack.parameters, stack.statistics, vector, *batch.tensors)


def hessian_trace(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    relative_tolerance: float = 0.1,
    minimum_probes: int = 8,
    maximum_probes: int = 64,
) -> TraceEstimate:
    """Hutchinson's trace estimate with Rademacher probes (Hutchinson 1989).

    A network draws probes until its standard error is below ``relative_tolerance`` times the *modulus* of
    its running mean (a negative mean must not end it), or ``maximum_probes`` are spent; the standard error
    says what was reached. Its estimate depends on its own seed alone, not on its company.

    Parameters
    ----------
    seeds
        One a network.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    estimates = np.full((maximum_probes, stack.size), np.nan)
    mean, error = np.full(stack.size, np.nan), np.full(stack.size, np.nan)
    drawn = np.zeros(stack.size, dtype=np.int64)
    active = np.arange(stack.size)
    product = hessian_product(stack, objective, samples)
    for number in range(maximum_probes):
        probe = _draw([generators[row] for row in active], stack.parameters, rademacher=True)
        estimates[number, active] = _inner(probe, product(probe)).cpu().numpy()
        drawn[active] += 1
        if number + 1 < minimum_probes:
            continue
        seen = estimates[: number + 1, active]
        mean[active] = seen.mean(0)
        error[active] = seen.std(0, ddof=1) / np.sqrt(number + 1)
        # A diverged network never gets below it and must not hold up the others, nor end them.
        wanting = ~(error[active] <= relative_tolerance * np.abs(mean[active])) & np.isfinite(mean[active])
        if not wanting.any():
            break
        if not wanting.all():
            active = active[wanting]
            product = hessian_product(stack.select(active), objective.select(active), samples)
    return TraceEstimate(mean, error, drawn)


def top_eigenvalue(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    iterations: int = 20,
    relative_tolerance: float = 1e-2,
) -> EigenEstimate:
    """Lanczos iteration with full re-orthogonalisation, for every network at once.

    A network's value is fixed when its residual is below ``relative_tolerance`` times the value's modulus, or
    after ``iterations``; the residual says how good the value is: some eigenvalue lies within it.

    Parameters
    ----------
    seeds
        One a network: its start vector.
    """
    start = _draw([torch.Generator().manual_seed(seed) for seed in seeds], stack.parameters, rademacher=False)
    flat = _flatten(start)
    basis = (flat / flat.norm(dim=1, keepdim=True)).unsqueeze(1)  # [networks, vectors, parameters]
    diagonal = torch.empty(stack.size, 0, dtype=torch.float64, device=stack.device)
    side = torch.empty(stack.size, 0, dtype=torch.float64, device=stack.device)
    values, residuals = np.full(stack.size, np.nan), np.full(stack.size, np.nan)
    active = np.arange(stack.size)
    product = hessian_product(stack, objective, samples)
    largest = min(iterations, flat.shape[1])
    for number in range(largest):
        image = _flatten(product(_unflatten(basis[:, -1], stack.parameters)))
        diagonal = torch.cat([diagonal, (image * basis[:, -1]).sum(1, keepdim=True)], 1)
        for _ in range(2):  # twice is enough (Parlett): orthogonal to working precision
            image = image - ((basis @ image.unsqueeze(2)).mT @ basis).squeeze(1)
        norm = image.norm(dim=1)
        eigenvalue, residual = _ritz(diagonal, side, norm)
        values[active], residuals[active] = eigenvalue.cpu().numpy(), residual.cpu().numpy()
        wanting = residual > relative_tolerance * eigenvalue.abs() + 1e-12
        if not wanting.any() or number + 1 == largest:
            break
        side = torch.cat([side, norm.unsqueeze(1)], 1)
        basis = torch.cat([basis, (image / norm.clamp_min(1e-30).unsqueeze(1)).unsqueeze(1)], 1)
        if not wanting.all():
            active, basis, diagonal, side = (
                active[wanting.cpu().numpy()],
                basis[wanting],
                diagonal[wanting],
                side[wanting],
            )
            product = hessian_product(stack.select(active), objective.select(active), samples)
    return EigenEstimate(values, residuals)


def _ritz(diagonal: Tensor, side: Tensor, next_norm: Tensor) -> tuple[Tensor, Tensor]:
    """Ritz value of largest modulus and its residual (last component of its vector times the next norm)."""
    tridiagonal = torch.diag_embed(diagonal)
    if side.shape[1]:
        tridiagonal = tridiagonal + torch.diag_embed(side, 1) + torch.diag_embed(side, -1)
    broken = ~torch.isfinite(tridiagonal).flatten(1).all(1)  # a diverged network has no spectrum
    values, vectors = torch.linalg.eigh(tridiagonal.masked_fill(broken[:, None, None], 0.0))
    pick = values.abs().argmax(1)
    rows = torch.arange(len(pick), device=pick.device)
    residual = (vectors[rows, -1, pick] * next_norm).abs()
    return values[rows, pick].masked_fill(broken, torch.nan), residual.masked_fill(broken, torch.nan)


def _draw(generators: Sequence[torch.Generator], like: Tensors, rademacher: bool) -> Tensors:
    """A random vector a network, from its own generator: signs, or standard normal numbers."""
    drawn: dict[str, list[Tensor]] = {name: [] for name in like}
    for generator in generators:
        for name, tensor in like.items():
            shape = tensor.shape[1:]
            if rademacher:
                drawn[name].append(torch.randint(0, 2, shape, generator=generator).to(tensor.dtype) * 2 - 1)
            else:
                drawn[name].append(torch.randn(shape, generator=generator, dtype=tensor.dtype))
    # Drawn on the processor and then moved: the same numbers on every device.
    return {name: torch.stack(vectors).to(like[name].device) for name, vectors in drawn.items()}


def _inner(first: Tensors, second: Tensors) -> Tensor:
    return torch.stack([(first[n].double() * second[n].double()).flatten(1).sum(1) for n in first]).sum(0)


def _flatten(tensors: Tensors) -> Tensor:
    """``[size, parameters]`` in double precision, where the orthogonalisation happens."""
    return torch.cat([tensor.flatten(1).double() for tensor in tensors.values()], dim=1)


def _unflatten(flat: Tensor, like: Tensors) -> Tensors:
    pieces = torch.split(flat, [tensor[0].numel() for tensor in like.values()], dim=1)
    return {n: piece.reshape(-1, *t.shape[1:]).to(t.dtype) for (n, t), piece in zip(like.items(), pieces, strict=True)}
