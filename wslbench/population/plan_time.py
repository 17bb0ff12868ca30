"""How long growing a zoo takes on this machine: a few real steps, and what they say of all the others.

A training step of one network is taken to cost ``a + batch × (b × activations + c × operations)`` seconds, fitted to
the measured steps: on a processor small networks cost what they read and write, large ones what they compute. a and b
are at least 0, and c at least what an operation costs in a large matrix product: where no large network can be
measured, nothing else keeps the fit from a processor of infinite speed.
"""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from wslbench.population.block import initial_stack
from wslbench.population.blocks import Block, blocks_of
from wslbench.population.plan_data import PlanData, timing_objective
from wslbench.population.plan_work import (
    BACKWARD,
    HESSIAN_PRODUCT,
    CellWork,
    forward_flops,
    has_batch_norm,
    work_of_cell,
)
from wslbench.population.recipe import Recipe
from wslbench.training import PassSize
from wslbench.training.activations import activations
from wslbench.training.pass_size import LONG_STEP, ONE_BY_ONE, seconds_per_step
from wslbench.training.stack import networks_per_pass

BUDGET_SECONDS = 20.0
"""Time that steps are measured for."""

PRODUCT_SIZE = 768
"""Rows of the square matrices whose product tells what an operation costs at least."""

EVALUATION_BATCH = 256
"""Samples that a forward pass without gradient is taken to hold."""


class TimeEstimate(NamedTuple):
    """Seconds, and where they come from.

    Attributes
    ----------
    seconds
        From the first step to the finished zoo, with so many processes.
    training, curves, measuring
        Seconds of one processor.
    longest_block
        Seconds of the costliest unit of work: more processes cannot make the whole shorter.
    processes
        That work at a time: no more than there are processors.
    measured_steps
        Kinds of step that were measured: load × batch size.
    worst_fit
        Largest relative deviation of the fit from them.
    extrapolation
        Operations of the largest step over those of the largest measured one.
    """

    seconds: float
    training: float
    curves: float
    measuring: float
    longest_block: float
    processes: int
    measured_steps: int
    worst_fit: float
    extrapolation: float


class _Step(NamedTuple):
    """A kind of training step: what it takes in activations and operations, and in seconds."""

    batch_size: int
    activations: float
    operations: float
    seconds: float

    @property
    def features(self) -> NDArray[np.float64]:
        return np.array([1.0, self.batch_size * self.activations, self.batch_size * self.operations])


def estimate_time(recipe: Recipe, data: PlanData, jobs: int) -> TimeEstimate:
    """Time a few steps, in one thread as workers do, and add up the cost of all blocks."""
    blocks = list(blocks_of(recipe))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        steps = _measured_steps(recipe, data, blocks)
        coefficients, worst = _fit(steps, _seconds_per_operation())
    finally:
        torch.set_num_threads(threads)
    costs = np.array([_block_seconds(recipe, data, block, coefficients) for block in blocks])
    each = costs.sum(axis=1)
    processes = min(jobs, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    largest = max(_step(recipe, data, block).operations * block.batch_size for block in blocks)
    training, curves, measuring = costs.sum(axis=0).tolist()
    return TimeEstimate(
        _makespan(each.tolist(), processes),
        training=training,
        curves=curves,
        measuring=measuring,
        longest_block=float(each.max()),
        processes=processes,
        measured_steps=len(steps),
        worst_fit=worst,
        extrapolation=largest / max(step.operations * step.batch_size for step in steps),
    )


def _measured_steps(recipe: Recipe, data: PlanData, blocks: Sequence[Block]) -> list[_Step]:
    """Steps of blocks from all corners of the grid, the smallest first, until the time is up."""
    deadline = time.perf_counter() + BUDGET_SECONDS
    steps: list[_Step] = []
    pace = 0.0  # seconds an operation, of the most efficient step so far
    for block in _corners(recipe, data, blocks):
        kind = _step(recipe, data, block)
        work = kind.operations * kind.batch_size
        # About ten steps of one network are taken, and a stack has to be made.
        if steps and 10 * pace * work > deadline - time.perf_counter():
            continue
        seconds = _seconds_per_step(recipe, data, block)
        steps.append(kind._replace(seconds=seconds))
        pace = min(pace or np.inf, seconds / work)
    return steps


def _corners(recipe: Recipe, data: PlanData, blocks: Sequence[Block]) -> Iterator[Block]:
    names = list(dict.fromkeys(block.architecture_name for block in blocks))
    sizes = sorted({block.batch_size for block in blocks})
    some_names = {names[round(place * (len(names) - 1))] for place in (0.0, 0.3, 0.6, 0.8, 1.0)}
    some_sizes = {sizes[round(place * (len(sizes) - 1))] for place in (0.0, 0.5, 1.0)}
    first: dict[tuple[str, int], Block] = {}
    for block in blocks:
        first.setdefault((block.architecture_name, block.batch_size), block)
    corners = [block for (name, size), block in first.items() if name in some_names and size in some_sizes]
    yield from sorted(corners, key=lambda block: _step(recipe, data, block).operations * block.batch_size)


def _step(recipe: Recipe, data: PlanData, block: Block) -> _Step:
    load = block.cells[0].load
    numbers = activations(block.architecture, data.inputs(1, "meta"))
    return _Step(block.batch_size, numbers, BACKWARD * forward_flops(recipe, data, load), 0.0)


def _seconds_per_step(recipe: Recipe, data: PlanData, block: Block) -> float:
    """Of one network, in the faster of the ways that a build chooses from."""
    runs = block.runs(recipe)
    objective = timing_objective(recipe, runs, data)
    optimisation = recipe.optimisation_of(block.cells[0])
    some = block._replace(cells=block.cells[: max(1, 24 // recipe.seeds)])
    stack = initial_stack(recipe, some)
    objective = objective.select(list(range(stack.size)))
    alone = seconds_per_step(stack, objective, optimisation, ONE_BY_ONE)
    if recipe.stacking == "one_by_one" or (alone > LONG_STEP and recipe.stacking == "measured"):
        return alone
    networks = min(stack.size, networks_per_pass(objective.inputs_each(block.batch_size)))
    together = seconds_per_step(stack, objective, optimisation, PassSize(networks, stacked=True))
    return together if recipe.stacking == "stacked" else min(alone, together)


def _seconds_per_operation() -> float:
    """Of a large matrix product, the best that this processor does."""
    matrix = torch.ones(PRODUCT_SIZE, PRODUCT_SIZE)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / (2 * PRODUCT_SIZE**3)


def _fit(steps: Sequence[_Step], least_per_operation: float) -> tuple[NDArray[np.float64], float]:
    """Coefficients that make the relative errors small, and the largest of these errors."""
    seconds = np.array([step.seconds for step in steps])
    relative = np.stack([step.features for step in steps]) / seconds[:, None]
    scale = np.where(relative.max(axis=0) > 0, relative.max(axis=0), 1.0)
    floor = np.array([0.0, 0.0, least_per_operation])
    above: NDArray[np.float64] = nnls(relative / scale, np.maximum(0.0, 1 - relative @ floor))[0] / scale
    coefficients = floor + above
    return coefficients, float(np.abs(relative @ coefficients - 1).max())


def _block_seconds(
    recipe: Recipe, data: PlanData, block: Block, coefficients: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Training, curves and measuring of one block, by one processor."""
    work = work_of_cell(recipe, data, block.batch_size, has_batch_norm(block.architecture))
    work = CellWork(*(len(block.cells) * part for part in work))
    own = _step(recipe, data, block)

    def sample(batch_size: int) -> float:
        return float(own._replace(batch_size=batch_size).features @ coefficients) / batch_size

    whole = sample(min(EVALUATION_BATCH, data.train_size))
    curves = work.curves * sample(min(recipe.curve.samples, data.train_size))
    measuring = whole * (work.evaluation + HESSIAN_PRODUCT * work.hessian) / BACKWARD
    return work.training * sample(block.batch_size), curves, measuring


def _makespan(seconds: Sequence[float], processes: int) -> float:
    """When the last block ends if free processes always take the costliest that waits."""
    ends = [0.0] * processes
    for cost in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + cost)
    return max(ends)
