"""Physics-informed networks on one-dimensional convection: u_t + β u_x = 0 (Raissi et al. 2019).

The objective is the mean squared residual at interior points, plus the mean squared error of the initial
condition u(x, 0) = sin x, plus the mean squared gap of the periodic boundary u(0, t) = u(2π, t), all of weight 1
(Krishnapriyan et al. 2021, arXiv 2109.01050, with their weights). β belongs to the network, not to the data: networks
of different β train as one stack.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, jvp, vmap

from wslbench.datasets import ConvectionDataset
from wslbench.training.objectives._objective import (
    Batch,
    CleanBatch,
    DrawnSamples,
    FloatArray,
    Network,
    Side,
    Values,
    unmixed_rows,
)
from wslbench.training.stack import (
    ModelStack,
    Tensors,
    evaluation_forward,
    layer_input_forward,
    layer_output_forward,
    networks_per_pass,
    read_out_name,
)

CONDITION_SHARE = 4
"""A batch of n interior points comes with n / 4 initial points and n / 4 boundary times."""

TRIVIAL_LOSS = 0.5
"""The objective of u = 0, the mean of sin² x: a network at or above it has learnt nothing."""

_PERIOD = 2 * np.pi


class Convection:
    """The convection problem for networks ``u(x, t)`` with a coefficient β each.

    Parameters
    ----------
    data
        Collocation points and the held-out grid.
    coefficients
        β ``[size]``, one a network.
    """

    measured: tuple[str, ...] = ("train_loss", "test_loss", "relative_l2_error")

    def __init__(self, data: ConvectionDataset, coefficients: Tensor) -> None:
        self.data = data
        self.coefficients = coefficients
        self.train_size, self.test_size = len(data.interior), len(data.grid)
        device = coefficients.device
        self._interior, self._initial, self._boundary, self._grid = (
            torch.as_tensor(points, dtype=torch.float32, device=device)
            for points in (data.interior, data.initial, data.boundary, data.grid)
        )

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        chosen = copy.copy(self)
        chosen.coefficients = self.coefficients[torch.as_tensor(rows, device=self.coefficients.device)]
        return chosen

    def to(self, device: torch.device) -> Self:
        return type(self)(self.data, self.coefficients.to(device))

    def inputs_each(self, batch_size: int) -> int:
        return batch_size + 3 * max(1, batch_size // CONDITION_SHARE)

    def draw(self, index: NDArray[np.int64], generators: Sequence[np.random.Generator]) -> Batch:
        """Interior points by ``index``; initial points and boundary times are drawn with replacement."""
        count = max(1, index.shape[1] // CONDITION_SHARE)
        sizes = np.array([[len(self._initial)], [len(self._boundary)]])
        drawn = np.stack([generator.integers(0, sizes, (2, count)) for generator in generators])
        device = self.coefficients.device
        places = torch.from_numpy(drawn).to(device)
        interior = self._interior[torch.from_numpy(index).to(device)]
        return interior, self._initial[places[:, 0]], self._boundary[places[:, 1]], self.coefficients

    def loss(self, network: Network, *batch: Tensor) -> Tensor:
        interior, initial, boundary, coefficient = batch
        # Residual, initial and boundary values in one pass: u_t + β u_x is the derivative along (β, 1).
        start = torch.stack([initial, torch.zeros_like(initial)], -1)
        left = torch.stack([torch.zeros_like(boundary), boundary], -1)
        right = torch.stack([torch.full_like(boundary, _PERIOD), boundary], -1)
        points = torch.cat([interior, start, left, right])
        direction = torch.stack([coefficient, torch.ones_like(coefficient)]).expand_as(points)
        values, derivatives = jvp(lambda x: network(x).squeeze(-1), (points,), (direction,))[:2]
        _, at_start, at_left, at_right = values.split([len(p) for p in (interior, start, left, right)])
        residual = derivatives[: len(interior)]
        mismatch = at_start - torch.sin(initial)
        total: Tensor = (residual**2).mean() + (mismatch**2).mean() + ((at_left - at_right) ** 2).mean()
        return total

    def clean(self, rows: NDArray[np.int64], side: Side = "train") -> CleanBatch:
        """Points by ``rows``: interior ones of the train set, or of the grid; with all initial and boundary points."""
        chosen = torch.from_numpy(rows).to(self.coefficients.device)
        if side == "train":
            return self._shared(self._interior[chosen], self._initial, self._boundary)
        points = self.data.grid
        edges = (points[points[:, 1] == 0, 0], points[points[:, 0] == 0, 1])
        return self._shared(self._grid[chosen], *(torch.as_tensor(edge, device=self._grid.device) for edge in edges))

    def _shared(self, interior: Tensor, initial: Tensor, boundary: Tensor) -> CleanBatch:
        samples = len(interior) + len(initial) + 2 * len(boundary)
        return CleanBatch((interior, initial, boundary, self.coefficients), (None, None, None, 0), samples)

    def clean_inputs(self, batch_size: int) -> Iterable[Tensor]:
        return torch.split(self._interior, batch_size)

    def measure(self, stack: ModelStack) -> dict[str, FloatArray]:
        """``train_loss``, ``test_loss``: the objective on the train points and on the held-out grid.

        ``relative_l2_error``: ``||u − u*|| / ||u*||`` over the grid, against u* = sin(x − βt), as a fraction.
        """
        return {
            "train_loss": self._objective(stack, "train"),
            "test_loss": self._objective(stack, "test"),
            "relative_l2_error": self._relative_error(stack),
        }

    def error_of(self, measured: Mapping[str, FloatArray]) -> FloatArray:
        return 100 * np.asarray(measured["relative_l2_error"], dtype=np.float64)

    def values(self, stack: ModelStack, side: Side = "train") -> Values:
        """100 × relative L2 error over the grid, on either side, and the objective on the side's points.

        The train points carry no targets, so that there is no train error: the solution is known on all of them alike.
        """
        return Values(100 * self._relative_error(stack), self._objective(stack, side))

    def representation(
        self, stack: ModelStack, layer: str | None = None, side: Side = "test", drawn: DrawnSamples | None = None
    ) -> Tensor:
        """Activations of the last hidden layer on the held-out grid: the output itself is a single number."""
        points = self._grid if side == "test" else self._interior
        if drawn is not None:
            points = points[unmixed_rows(drawn, "points of an equation")]
        if layer is None:
            forward = layer_input_forward(stack.architecture, read_out_name(stack.architecture), len(points))
        else:
            forward = layer_output_forward(stack.architecture, layer, len(points))
        with torch.no_grad():
            return forward(stack.parameters, stack.statistics, points)

    def dead(self, measured: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
        return np.asarray(measured["train_loss"] >= TRIVIAL_LOSS)

    @torch.no_grad()
    def _objective(self, stack: ModelStack, side: Side) -> FloatArray:
        batch = self.clean(np.arange(self.train_size if side == "train" else self.test_size), side)
        template = stack.architecture.module().eval()

        def of_one(parameters: Tensors, *tensors: Tensor) -> Tensor:
            return self.loss(lambda points: functional_call(template, parameters, (points,)), *tensors)

        stacked = vmap(of_one, in_dims=(0, *batch.dims), chunk_size=networks_per_pass(batch.samples))
        losses: Tensor = stacked(stack.parameters, *batch.tensors)
        return losses.double().cpu().numpy()

    @torch.no_grad()
    def _relative_error(self, stack: ModelStack) -> FloatArray:
        forward = evaluation_forward(stack.architecture, len(self._grid))
        values = forward(stack.parameters, stack.statistics, self._grid).squeeze(-1).double().cpu().numpy()
        exact = self.data.solution(self.data.grid.astype(np.float64), self.coefficients.double().cpu().numpy()[:, None])
        error: FloatArray = np.linalg.norm(values - exact, axis=1) / np.linalg.norm(exact, axis=1)
        return error
