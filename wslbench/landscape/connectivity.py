"""Mode connectivity: quadratic Bezier curves between two networks (Garipov et al. 2018, arXiv 1802.10026)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.training import Augmentation, ModelStack, Optimisation, logits_of, reestimate_batch_norm
from wslbench.training.augmentation import AugmentedImages
from wslbench.training.loop import Progress, StackedSGD, stacked_cross_entropy
from wslbench.training.measure import performance_of_logits
from wslbench.training.stack import Tensors, networks_per_pass, training_forward

CURVE_POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)


class CurveFit(NamedTuple):
    """Error and loss along fitted curves, one row a pair.

    Attributes
    ----------
    train_error
        Per cent, at :data:`CURVE_POINTS` ``[pairs, 5]``.
    train_loss
        Nats ``[pairs, 5]``.
    mode_connectivity
        Percentage points ``[pairs]``; see :func:`mode_connectivity`.
    """

    train_error: NDArray[np.float64]
    train_loss: NDArray[np.float64]
    mode_connectivity: NDArray[np.float64]


def bezier(start: Tensors, bend: Tensors, end: Tensors, t: Tensor) -> Tensors:
    """Point ``(1−t)² start + 2t(1−t) bend + t² end`` of each pair's curve, ``t [pairs]``."""

    def at(name: str) -> Tensor:
        shaped = t.reshape(-1, *[1] * (bend[name].dim() - 1))
        return (1 - shaped) ** 2 * start[name] + 2 * shaped * (1 - shaped) * bend[name] + shaped**2 * end[name]

    return {name: at(name) for name in bend}


def mode_connectivity(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(v₀ + v₄)/2 − v[t*]`` where t* is the point farthest from the mean of the ends (Yang et al. 2021, eq. 4).

    Parameters
    ----------
    values
        Train error in per cent along curves ``[pairs, points]``.

    Returns
    -------
    ndarray
        Percentage points ``[pairs]``: below 0 a barrier, above 0 a curve that beats its ends.
    """
    deviation = (values[:, :1] + values[:, -1:]) / 2 - values
    farthest = np.abs(deviation).argmax(axis=1)
    picked: NDArray[np.float64] = deviation[np.arange(len(values)), farthest]
    return picked


def fit_curves(
    start: ModelStack,
    end: ModelStack,
    inputs: Tensor,
    labels: Tensor,
    optimisation: Optimisation,
    seeds: Sequence[int],
    augmentation: Augmentation | None = None,
    progress: Progress | None = None,
) -> CurveFit:
    """Train the bend of one curve a pair, all pairs at once, and measure the curves.

    The bend starts half-way between the ends; every step draws one t a pair, uniform in [0, 1]. Data come
    through the runs' own augmentation, or the curve would beat its ends for the wrong reason. Batch norm is
    re-estimated at every measured t.

    Parameters
    ----------
    start, end
        The pairs' ends ``[pairs]``.
    optimisation
        How the bend is trained; its ``learning_rate`` must be set.
    seeds
        One a pair: data order, augmentation and t.
    """
    if optimisation.learning_rate is None:
        raise ValueError("the curve's optimisation needs a learning rate")
    group = networks_per_pass(optimisation.batch_size)
    if start.size > group:
        fits = []
        for first in range(0, start.size, group):
            last = min(first + group, start.size)
            rows, some = np.arange(first, last), seeds[first:last]
            part = None if progress is None else partial(_report_share, progress, (last - first) / start.size)
            ends = start.select(rows), end.select(rows)
            fits.append(fit_curves(*ends, inputs, labels, optimisation, some, augmentation, part))
        return CurveFit(*(np.concatenate(column) for column in zip(*fits, strict=True)))
    steps_per_epoch = max(1, len(labels) // optimisation.batch_size)
    forward = training_forward(start.architecture)
    images = AugmentedImages(inputs, augmentation or Augmentation())
    generators = [np.random.default_rng(seed) for seed in seeds]
    bend = {name: (start.parameters[name] + end.parameters[name]) / 2 for name in start.parameters}
    rates = torch.full((start.size,), optimisation.learning_rate)
    optimiser = StackedSGD(bend, rates, optimisation.momentum, optimisation.weight_decay)
    for epoch in range(optimisation.epochs):
        order = np.stack([generator.permutation(len(labels)) for generator in generators])
        for batch_number in range(steps_per_epoch):
            begin = batch_number * optimisation.batch_size
            index = order[:, begin : begin + optimisation.batch_size]
            batch = images.batch(index, generators)
            t = torch.tensor([generator.random() for generator in generators], dtype=torch.float32)
            point = bezier(start.parameters, optimiser.leaves(), end.parameters, t)
            losses = stacked_cross_entropy(forward(point, batch), labels[torch.from_numpy(index)])
            step = epoch * steps_per_epoch + batch_number
            optimiser.step(losses.sum(), optimisation.rate_factor(step, steps_per_epoch))
        if progress is not None:
            progress(steps_per_epoch)
    return _measure(start, optimiser.parameters, end, inputs, labels)


def _report_share(progress: Progress, share: float, steps: float) -> None:
    progress(share * steps)


@torch.no_grad()
def _measure(start: ModelStack, bend: Tensors, end: ModelStack, inputs: Tensor, labels: Tensor) -> CurveFit:
    errors, losses = [], []
    for t in CURVE_POINTS:
        parameters = bezier(start.parameters, bend, end.parameters, torch.full((start.size,), t))
        point = ModelStack(start.architecture, parameters, start.statistics)
        measured = performance_of_logits(logits_of(reestimate_batch_norm(point, inputs), inputs), labels)
        errors.append(100 * (1 - measured.accuracy.numpy()))
        losses.append(measured.loss.numpy())
    train_error = np.stack(errors, axis=1)
    return CurveFit(train_error, np.stack(losses, axis=1), mode_connectivity(train_error))
