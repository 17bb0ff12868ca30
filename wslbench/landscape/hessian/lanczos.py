"""Lanczos iteration on the Hessians of several networks in step, with full re-orthogonalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.landscape.hessian.product import BatchNormMode, KeptGradient
from wslbench.landscape.hessian.vectors import draw_normal, flatten, generators_of, unflatten
from wslbench.training import ModelStack, Objective
from wslbench.training.objectives import Side

BASIS_BYTES = 512 * 2**20
"""What the bases of the networks in step may take together, in double precision. One network alone is always taken."""

_NOTHING = 1e-12
"""A vector shorter than this beside the basis is nothing: the basis spans an invariant space."""


def networks_together(parameters: int, steps: int) -> int:
    """How many networks of so many parameters go through so many Lanczos steps together."""
    return max(1, BASIS_BYTES // (8 * parameters * (steps + 1)))


class Lanczos:
    """Orthonormal bases of Krylov spaces, and the Hessians in them as tridiagonal matrices.

    Parameters
    ----------
    seeds
        One for each network of the whole stack: its start vector, standard normal and then normalised.
    rows
        The networks of the stack that take part.
    steps
        Most steps that will be asked for.

    Attributes
    ----------
    rows
        The networks that still take part.
    next_norm
        Length of the part of the last image that stands beside the basis ``[rows]``: the next off-diagonal entry.

    Notes
    -----
    Where a basis spans an invariant space (a zero Hessian, or fewer parameters with curvature than steps), it goes on
    with a fresh random vector, and the off-diagonal entry is 0: values of several dimensions are then found as well.
    """

    def __init__(
        self,
        stack: ModelStack,
        objective: Objective,
        samples: NDArray[np.int64],
        seeds: Sequence[int],
        rows: NDArray[np.int64],
        steps: int,
        side: Side,
        batch_norm: BatchNormMode,
    ) -> None:
        self.rows = rows
        self._generators = dict(zip(rows.tolist(), generators_of([seeds[row] for row in rows]), strict=True))
        self._like = stack.select(rows[:1]).parameters
        start = flatten(self._fresh(rows))
        self._basis = start.new_empty(len(rows), steps, start.shape[1])
        self._basis[:, 0] = start / start.norm(dim=1, keepdim=True)
        self._diagonal = start.new_zeros(len(rows), steps)
        self._side = start.new_zeros(len(rows), steps)
        self._taken, self._steps = 0, steps
        self.next_norm = start.new_zeros(len(rows))
        self._product = KeptGradient(stack.select(rows), objective.select(rows), samples, side, batch_norm)

    def step(self) -> None:
        """One more basis vector, and one more row of the tridiagonal matrices."""
        if self._taken:
            self._extend()
        number = self._taken
        newest = self._basis[:, number]
        image = flatten(self._product(unflatten(newest, self._like)))
        self._diagonal[:, number] = (image * newest).sum(1)
        self._beside = self._orthogonal(image, number + 1)
        self.next_norm = self._beside.norm(dim=1)
        self._taken += 1

    def tridiagonal(self) -> Tensor:
        """``[rows, taken, taken]``."""
        matrix = torch.diag_embed(self._diagonal[:, : self._taken])
        if self._taken > 1:
            side = self._side[:, : self._taken - 1]
            matrix = matrix + torch.diag_embed(side, 1) + torch.diag_embed(side, -1)
        return matrix

    def keep(self, wanted: Tensor) -> None:
        """Go on with these of the rows only; with none when all steps are taken."""
        if self._taken == self._steps:
            wanted = torch.zeros_like(wanted)
        if wanted.all():
            return
        of_rows = wanted.cpu().numpy()
        self.rows = self.rows[of_rows]
        self._basis, self._diagonal, self._side = self._basis[wanted], self._diagonal[wanted], self._side[wanted]
        self._beside, self.next_norm = self._beside[wanted], self.next_norm[wanted]
        self._product.keep(of_rows)

    def _extend(self) -> None:
        number = self._taken
        self._side[:, number - 1] = self.next_norm
        self._basis[:, number] = self._beside / self.next_norm.clamp_min(1e-30)[:, None]
        spent = self.next_norm < _NOTHING
        if spent.any():
            fresh = flatten(self._fresh(self.rows[spent.cpu().numpy()]))
            basis = self._basis[spent, :number]
            beside = _beside(basis, _beside(basis, fresh))
            self._basis[spent, number] = beside / beside.norm(dim=1, keepdim=True)
            self._side[spent, number - 1] = 0.0

    def _orthogonal(self, image: Tensor, vectors: int) -> Tensor:
        basis = self._basis[:, :vectors]
        return _beside(basis, _beside(basis, image))  # twice is enough (Parlett): orthogonal to working precision

    def _fresh(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        return draw_normal([self._generators[row] for row in rows.tolist()], self._like)


def _beside(basis: Tensor, vectors: Tensor) -> Tensor:
    """The part of every vector ``[size, parameters]`` orthogonal to its basis ``[size, vectors, parameters]``."""
    return vectors - ((basis @ vectors.unsqueeze(2)).mT @ basis).squeeze(1)
