"""The eigenvalues of largest modulus of the loss Hessian, by Lanczos iteration, with residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.errors import LandscapeError
from wslbench.landscape.hessian.lanczos import Lanczos, networks_together
from wslbench.landscape.hessian.product import BatchNormMode, in_groups
from wslbench.training import ModelStack, Objective
from wslbench.training.objectives import Side


class EigenEstimate(NamedTuple):
    """The eigenvalue of largest modulus, signed, and the residual norm ``||H v − λ v||`` ``[size]``."""

    eigenvalue: NDArray[np.float64]
    residual: NDArray[np.float64]


class EigenEstimates(NamedTuple):
    """Signed eigenvalues, by falling modulus, and their residual norms ``||H v − λ v||``, both ``[size, count]``."""

    eigenvalue: NDArray[np.float64]
    residual: NDArray[np.float64]


def top_eigenvalues(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    count: int = 1,
    iterations: int = 20,
    relative_tolerance: float = 1e-2,
    side: Side = "train",
    batch_norm: BatchNormMode = "running",
) -> EigenEstimates:
    """Lanczos iteration with full re-orthogonalisation, for every network at once.

    A network's values are fixed when every one's residual is below ``relative_tolerance`` times its modulus, or after
    ``iterations``. The residual of a Ritz vector is its last component in the basis times the next off-diagonal
    entry (Parlett 1998, The Symmetric Eigenvalue Problem, section 13.2), and says how good the value is: some
    eigenvalue lies within it. A diverged network has NaN for both; a Hessian that is zero has 0 for both.

    Parameters
    ----------
    seeds
        One a network: its start vector. Its values do not depend on its company.
    count
        Eigenvalues a network. More than one usually need more than the default iterations.
    side
        Whose samples the numbers in ``samples`` mean.

    Raises
    ------
    LandscapeError
        If ``count`` is larger than the number of iterations, or than the number of parameters.

    Notes
    -----
    Networks are taken in groups whose bases together stay below :data:`BASIS_BYTES`, and whose activations fit the
    processor's cache where they can, at least one at a time.
    """
    parameters = sum(tensor[0].numel() for tensor in stack.parameters.values())
    steps = min(iterations, parameters)
    if not 1 <= count <= steps:
        raise LandscapeError(
            f"{count} eigenvalues asked for, where {steps} steps over {parameters} parameters give 1 to {steps}"
        )
    values, residuals = np.full((stack.size, count), np.nan), np.full((stack.size, count), np.nan)
    for rows in in_groups(stack, objective, samples, side, networks_together(parameters, steps)):
        run = Lanczos(stack, objective, samples, seeds, rows, steps, side, batch_norm)
        while run.rows.size:
            run.step()
            eigenvalue, residual = _ritz(run.tridiagonal(), run.next_norm, count)
            found = eigenvalue.shape[1]
            values[run.rows, :found] = eigenvalue.cpu().numpy()
            residuals[run.rows, :found] = residual.cpu().numpy()
            wanting = (residual > relative_tolerance * eigenvalue.abs() + 1e-12).any(1)
            if found < count:
                wanting = torch.isfinite(eigenvalue).all(1)
            run.keep(wanting)
    return EigenEstimates(values, residuals)


def top_eigenvalue(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    iterations: int = 20,
    relative_tolerance: float = 1e-2,
    side: Side = "train",
    batch_norm: BatchNormMode = "running",
) -> EigenEstimate:
    """The one eigenvalue of largest modulus; see :func:`top_eigenvalues`."""
    both = top_eigenvalues(
        stack,
        objective,
        samples,
        seeds,
        iterations=iterations,
        relative_tolerance=relative_tolerance,
        side=side,
        batch_norm=batch_norm,
    )
    return EigenEstimate(both.eigenvalue[:, 0], both.residual[:, 0])


def _ritz(tridiagonal: Tensor, next_norm: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Ritz values of largest modulus, as many of ``count`` as there are, and their residuals."""
    broken = ~torch.isfinite(tridiagonal).flatten(1).all(1)  # a diverged network has no spectrum
    values, vectors = torch.linalg.eigh(tridiagonal.masked_fill(broken[:, None, None], 0.0))
    pick = values.abs().argsort(1, descending=True)[:, :count]
    residual = (vectors[:, -1].gather(1, pick) * next_norm[:, None]).abs()
    broken = broken[:, None]
    return values.gather(1, pick).masked_fill(broken, torch.nan), residual.masked_fill(broken, torch.nan)
