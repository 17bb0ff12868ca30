"""The spectral density of the loss Hessian, by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wslbench.errors import LandscapeError
from wslbench.landscape.hessian.lanczos import Lanczos, networks_together
from wslbench.landscape.hessian.product import BatchNormMode, in_groups
from wslbench.training import ModelStack, Objective
from wslbench.training.objectives import Side

FloatArray = NDArray[np.float64]


class SpectralDensity(NamedTuple):
    """Density of eigenvalues as point masses, a set for every network and probe.

    Attributes
    ----------
    nodes
        Where the masses sit ``[size, probes, steps]``, ascending.
    weights
        How large they are ``[size, probes, steps]``; a probe's sum to 1.
    """

    nodes: FloatArray
    weights: FloatArray

    def moment(self, order: int) -> tuple[FloatArray, FloatArray]:
        """``tr(H^order) / parameters`` of every network ``[size]``, and its standard error over probes ``[size]``.

        Exact for a probe up to order ``2 steps − 1``; the error is NaN with one probe.
        """
        values = (self.weights * self.nodes**order).sum(2)
        probes = values.shape[1]
        error = values.std(1, ddof=1) / np.sqrt(probes) if probes > 1 else np.full(len(values), np.nan)
        return values.mean(1), error

    def below(self, threshold: float) -> FloatArray:
        """The share of eigenvalues below a threshold ``[size]``; at 0, how much of the spectrum is negative."""
        known = np.isfinite(self.nodes).all(axis=(1, 2))
        share: FloatArray = np.where(self.nodes < threshold, self.weights, 0.0).sum(2).mean(1)
        return np.where(known, share, np.nan)

    def on_grid(self, grid: FloatArray, width: float) -> FloatArray:
        """Density at each value of ``grid [points]``, every mass spread as a Gaussian: ``[size, points]``.

        Parameters
        ----------
        width
            Standard deviation of the Gaussian, in units of eigenvalues.

        Raises
        ------
        LandscapeError
            If the width is not above 0.
        """
        if not width > 0:
            raise LandscapeError(f"the width of the Gaussians must be above 0, not {width:g}")
        size, probes, _ = self.nodes.shape
        density = np.zeros((size, len(grid)))
        for row in range(size):
            distance = (grid[:, None] - self.nodes[row].reshape(1, -1)) / width
            kernel = np.exp(-(distance**2) / 2) / (width * np.sqrt(2 * np.pi))
            density[row] = kernel @ self.weights[row].reshape(-1) / probes
        return density


def spectral_density(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    probes: int = 4,
    iterations: int = 40,
    side: Side = "train",
    batch_norm: BatchNormMode = "running",
) -> SpectralDensity:
    """Stochastic Lanczos quadrature, for every network at once.

    A probe is a random direction. Lanczos iteration from there gives a tridiagonal matrix; its eigenvalues are the
    nodes, the squared first components of its eigenvectors the weights (Golub and Welsch 1969; Ubaru, Chen and Saad
    2017, SIAM J. Matrix Anal. Appl. 38; for networks Ghorbani et al. 2019, arXiv 1901.10159). Averaged over probes,
    the moments are those of the spectrum without bias. A diverged network has NaN.

    Parameters
    ----------
    seeds
        One a network: its probes. Its values do not depend on its company.
    probes
        Directions a network.
    iterations
        Steps a probe, at most as many as there are parameters.
    side
        Whose samples the numbers in ``samples`` mean.

    Raises
    ------
    LandscapeError
        If there is no probe or no iteration.
    """
    if probes < 1 or iterations < 1:
        raise LandscapeError(
            f"a spectral density needs at least 1 probe and 1 iteration, not {probes} and {iterations}"
        )
    parameters = sum(tensor[0].numel() for tensor in stack.parameters.values())
    steps = min(iterations, parameters)
    # A probe is a network of its own: all of them go in step.
    of_network = np.repeat(np.arange(stack.size), probes)
    copies, copied = stack.select(of_network), objective.select(of_network)
    own = [_seed_of_probe(seed, probe) for seed in seeds for probe in range(probes)]
    nodes, weights = np.full((2, len(own), steps), np.nan)
    for rows in in_groups(copies, copied, samples, side, networks_together(parameters, steps)):
        run = Lanczos(copies, copied, samples, own, rows, steps, side, batch_norm)
        for _ in range(steps):
            run.step()
        tridiagonal = run.tridiagonal()
        whole = torch.isfinite(tridiagonal).flatten(1).all(1)
        values, vectors = torch.linalg.eigh(tridiagonal[whole])
        kept = rows[whole.cpu().numpy()]
        nodes[kept] = values.cpu().numpy()
        weights[kept] = vectors[:, 0].square().cpu().numpy()
    shape = stack.size, probes, steps
    return SpectralDensity(nodes.reshape(shape), weights.reshape(shape))


def _seed_of_probe(seed: int, probe: int) -> int:
    (state,) = np.random.SeedSequence(int(seed), spawn_key=(probe,)).generate_state(1, np.uint64)
    return int(state >> np.uint64(1))
