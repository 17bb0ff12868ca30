"""Mode connectivity: quadratic Bezier curves between two networks (Garipov et al. 2018, arXiv 1802.10026)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.training import ModelStack, Objective, Optimisation, PassSize, seed_from
from wslbench.training.batch_norm import REESTIMATION_BATCH, reestimate_from_batches
from wslbench.training.loop import Progress
from wslbench.training.stack import Tensors, networks_per_pass
from wslbench.training.stacked_losses import stacked_losses

CURVE_POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)

Decay = Literal["bend", "point"]
"""What weight decay pulls to 0: the free ``bend``, or the ``point`` of the curve that a step is taken at, as in the
code of Garipov et al. 2018."""

BendStart = Literal["middle", "fresh"]
"""Where the bend starts: half-way between the ends, or as a freshly initialised network, as in one published code."""


class CurveValues(NamedTuple):
    """Error and loss along curves or lines, one row a pair.

    Attributes
    ----------
    train_error, test_error
        Per cent, at each of the measured t ``[pairs, points]``; what they are of, the objective says.
    train_loss, test_loss
        Nats ``[pairs, points]``.
    """

    train_error: NDArray[np.float64]
    train_loss: NDArray[np.float64]
    test_error: NDArray[np.float64]
    test_loss: NDArray[np.float64]

    @property
    def mode_connectivity(self) -> NDArray[np.float64]:
        """Percentage points of train error ``[pairs]``; see :func:`mode_connectivity`."""
        return mode_connectivity(self.train_error)


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
    objective: Objective,
    optimisation: Optimisation,
    seeds: Sequence[int],
    progress: Progress | None = None,
    pass_size: PassSize | None = None,
    points: Sequence[float] = CURVE_POINTS,
    decay: Decay = "bend",
    bend_start: BendStart = "middle",
) -> CurveValues:
    """Train the bend of one curve a pair, all pairs at once, and measure the curves.

    Every step draws one t a pair, uniform in [0, 1]. Data come through the runs' own augmentation, or the curve would
    beat its ends for the wrong reason. Batch norm is re-estimated at every measured t.

    Parameters
    ----------
    start, end
        The pairs' ends ``[pairs]``.
    objective
        That of the pairs: row i belongs to pair i.
    optimisation
        How the bend is trained; its batch size and learning rate must be set.
    seeds
        One a pair: data order, augmentation and t.
    pass_size
        How many pairs are one computation; None: what a processor's cache holds.
    points
        The t that are measured, ascending; the first and the last are the ends of the formula.
    decay
        What the optimisation's weight decay acts on.
    bend_start
        Where the bend starts; ``fresh`` draws from the pair's seed.
    """
    cached = networks_per_pass(objective.inputs_each(optimisation.samples))
    networks, stacked = pass_size or PassSize(min(start.size, cached), stacked=True)
    fits = []
    for first in range(0, start.size, networks):
        rows = np.arange(first, min(first + networks, start.size))
        ends, goal = (start.select(rows), end.select(rows)), objective.select(rows)
        bend = _train_bend(*ends, goal, optimisation, seeds[first : first + len(rows)], stacked, (decay, bend_start))
        fits.append(_measure(*ends, bend, goal, points))
        if progress is not None:
            progress(len(rows) / start.size)
    return _joined(fits)


def straight_lines(
    start: ModelStack, end: ModelStack, objective: Objective, points: Sequence[float] = CURVE_POINTS
) -> CurveValues:
    """Measure linear interpolation ``(1−t) start + t end``, batch norm re-estimated at every t.

    Parameters
    ----------
    start, end
        The pairs' ends ``[pairs]``; to measure up to permutation, hand in an ``end`` that is aligned with ``start``.
    objective
        That of the pairs: row i belongs to pair i.
    points
        The t that are measured, ascending from 0 to 1.
    """
    networks = networks_per_pass(REESTIMATION_BATCH)
    values = []
    for first in range(0, start.size, networks):
        rows = np.arange(first, min(first + networks, start.size))
        ends = start.select(rows), end.select(rows)
        values.append(_measure(*ends, _middle(*ends), objective.select(rows), points))  # a Bezier curve without bend
    return _joined(values)


def _middle(start: ModelStack, end: ModelStack) -> Tensors:
    return {name: (start.parameters[name] + end.parameters[name]) / 2 for name in start.parameters}


def _fresh(start: ModelStack, seeds: Sequence[int]) -> Tensors:
    return (
        ModelStack.initialise(start.architecture, [seed_from(seed, "bend") for seed in seeds])
        .to(start.device)
        .parameters
    )


def _joined(parts: Sequence[CurveValues]) -> CurveValues:
    return CurveValues(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _train_bend(
    start: ModelStack,
    end: ModelStack,
    objective: Objective,
    optimisation: Optimisation,
    seeds: Sequence[int],
    stacked: bool,
    how: tuple[Decay, BendStart],
) -> Tensors:
    # A train set smaller than a batch still gives one step an epoch, on all of it.
    steps_per_epoch = max(1, objective.train_size // optimisation.samples)
    losses_of = stacked_losses(start.architecture, objective, stacked)
    generators = [np.random.default_rng(seed) for seed in seeds]
    decay, bend_start = how
    first = _middle(start, end) if bend_start == "middle" else _fresh(start, seeds)
    of_bend, of_point = (optimisation.weight_decay if decay == where else 0.0 for where in ("bend", "point"))
    rates, decays = [optimisation.rate] * start.size, [of_bend] * start.size
    optimiser = optimisation.stacked_optimiser(first, rates, decays)
    for epoch in range(optimisation.epochs):
        order = np.stack([generator.permutation(objective.train_size) for generator in generators])
        for batch_number in range(steps_per_epoch):
            begin = batch_number * optimisation.samples
            batch = objective.draw(order[:, begin : begin + optimisation.samples], generators)
            t = torch.tensor([generator.random() for generator in generators], dtype=torch.float32)
            point = bezier(start.parameters, optimiser.leaves(), end.parameters, t.to(start.device))
            step = epoch * steps_per_epoch + batch_number
            loss = losses_of(point, batch).sum()
            if of_point:
                loss = loss + of_point / 2 * sum(tensor.square().sum() for tensor in point.values())
            optimisation.step(optimiser, loss, step, steps_per_epoch)
    return optimiser.parameters


@torch.no_grad()
def _measure(
    start: ModelStack, end: ModelStack, bend: Tensors, objective: Objective, points: Sequence[float]
) -> CurveValues:
    columns: list[tuple[NDArray[np.float64], ...]] = []
    for t in points:
        parameters = bezier(start.parameters, bend, end.parameters, torch.full((start.size,), t, device=start.device))
        point = ModelStack(start.architecture, parameters, start.statistics)
        network = reestimate_from_batches(point, objective.clean_inputs(REESTIMATION_BATCH))
        columns.append((*objective.values(network, "train"), *objective.values(network, "test")))
    return CurveValues(*(np.stack(values, axis=1) for values in zip(*columns, strict=True)))
