"""How many networks are trained as one computation: found by a short measurement, never slower than one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wslbench.training.objectives import Objective
from wslbench.training.optimisation import Optimisation
from wslbench.training.stack import ModelStack, networks_per_pass
from wslbench.training.stacked_losses import stacked_losses

TIMED_SECONDS = 0.4
"""Time that a way of training is tried for."""

TIMED_STEPS = 20
"""Steps after which a trial ends even if the time is not up."""

STACKING_GAIN = 1.05
"""Stacking has to be this many times faster than one by one to be chosen: below, it may be noise."""

LONG_STEP = 1.0
"""Seconds from which on a network's own step keeps a processor so busy that stacking is not even tried."""


class PassSize(NamedTuple):
    """Networks a computation.

    Attributes
    ----------
    networks
        How many.
    stacked
        Whether they are one computation over stacked weights. False: each is plain PyTorch, one after the other
        (``networks`` is then 1).
    """

    networks: int
    stacked: bool


ONE_BY_ONE = PassSize(1, stacked=False)


def measure_pass_size(
    stack: ModelStack, objective: Objective, optimisation: Optimisation, must_stack: bool = False
) -> PassSize:
    """The fastest way to train a stack on this machine: one by one, or stacked in passes of some size.

    A few real steps are taken each way and thrown away.

    Parameters
    ----------
    stack
        The networks; not changed.
    optimisation
        As they will be trained; rates do not matter here.
    must_stack
        Find the best size of a pass, but stack in any case.
    """
    ways = sorted(set(_candidates(stack, objective, optimisation)))
    if must_stack and len(ways) < 2:
        return PassSize(ways[0] if ways else 1, stacked=True)
    if not ways:
        return ONE_BY_ONE
    alone = 0.0 if must_stack else seconds_per_step(stack, objective, optimisation, ONE_BY_ONE)
    if alone > LONG_STEP:
        return ONE_BY_ONE
    costs = {n: seconds_per_step(stack, objective, optimisation, PassSize(n, stacked=True)) for n in ways}
    best = min(costs, key=costs.__getitem__)
    if must_stack or costs[best] * STACKING_GAIN < alone:
        return PassSize(best, stacked=True)
    return ONE_BY_ONE


def seconds_per_step(stack: ModelStack, objective: Objective, optimisation: Optimisation, way: PassSize) -> float:
    """Seconds that a training step costs a network in one way of training: the least of a few steps."""
    rows = np.arange(min(way.networks, stack.size))
    some, goal = stack.select(rows), objective.select(rows)
    losses_of = stacked_losses(some.architecture, goal, way.stacked)
    generators = [np.random.default_rng(row) for row in rows]
    tiny_rates = [1e-8] * some.size  # the steps must not lead anywhere
    optimiser = optimisation.stacked_optimiser(some.parameters, tiny_rates, tiny_rates)
    index = np.stack([g.integers(0, goal.train_size, optimisation.samples) for g in generators])
    seconds: list[float] = []
    began = time.perf_counter()
    while len(seconds) < 3 or (time.perf_counter() - began < TIMED_SECONDS and len(seconds) < TIMED_STEPS):
        start = time.perf_counter()
        optimiser.step(losses_of(optimiser.leaves(), goal.draw(index, generators)).sum(), 1.0)
        if some.device.type == "cuda":
            _wait_for_device()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:]) / some.size  # the first step also allocates


def _candidates(stack: ModelStack, objective: Objective, optimisation: Optimisation) -> Iterator[int]:
    """Everything at once, and passes that a processor's cache holds; a stack of one is no stack."""
    cached = networks_per_pass(objective.inputs_each(optimisation.samples))
    for networks in (cached, 4 * cached, stack.size):
        if networks > 1 and stack.size > 1:
            yield min(networks, stack.size)


def _wait_for_device() -> None:
    import torch

    torch.cuda.synchronize()
