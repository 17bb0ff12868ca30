"""Power iteration as PyHessian stops it: only to compare with numbers that were published so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from wslbench.landscape.hessian.eigenvalues import EigenEstimate
from wslbench.landscape.hessian.product import BatchNormMode, KeptGradient, in_groups
from wslbench.landscape.hessian.vectors import draw_normal, flatten, generators_of, unflatten
from wslbench.training import ModelStack, Objective
from wslbench.training.objectives import Side


def power_iteration(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    iterations: int = 100,
    relative_tolerance: float = 1e-3,
    side: Side = "train",
    batch_norm: BatchNormMode = "running",
) -> EigenEstimate:
    """The eigenvalue of largest modulus, signed, by repeated multiplication, for every network at once.

    A network ends when its Rayleigh quotient changed by less than ``relative_tolerance`` of its modulus (plus 1e-6),
    with the quotient *before* that change, as in PyHessian (Yao et al. 2020, arXiv 1912.07145). Where eigenvalues lie
    close together, or two of opposite sign are of nearly the same modulus, the change is small long before the value
    is right: the residual norm ``||H v − λ v||`` of the last vector says how good it is. A diverged network has NaN.

    Parameters
    ----------
    seeds
        One a network: its start vector. Its value does not depend on its company.
    side
        Whose samples the numbers in ``samples`` mean.
    """
    value = np.full(stack.size, np.nan)
    residual = np.full(stack.size, np.nan)
    generators = generators_of(seeds)
    for active in in_groups(stack, objective, samples, side):
        product = KeptGradient(stack.select(active), objective.select(active), samples, side, batch_norm)
        vector = flatten(draw_normal([generators[row] for row in active], stack.parameters))
        vector = vector / vector.norm(dim=1, keepdim=True)
        for _ in range(iterations):
            image = flatten(product(unflatten(vector, stack.parameters)))
            quotient = (image * vector).sum(1)
            residual[active] = (image - quotient[:, None] * vector).norm(dim=1).cpu().numpy()
            new, old = quotient.cpu().numpy(), value[active]
            whole = np.isfinite(new)
            residual[active[~whole]], value[active[~whole]] = np.nan, np.nan
            settled = np.abs(old - new) / (np.abs(old) + 1e-6) < relative_tolerance  # at first old is NaN: False
            going = ~settled & whole
            value[active[going]] = new[going]
            active = active[going]
            if not active.size:
                break
            product.keep(going)
            kept = image[torch.from_numpy(going).to(image.device)]
            vector = kept / kept.norm(dim=1, keepdim=True).clamp_min(1e-30)
    return EigenEstimate(value, residual)
