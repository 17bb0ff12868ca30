"""Hutchinson's estimate of the Hessian's trace, with a standard error and a rule that stops on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wslbench.landscape.hessian.product import BatchNormMode, KeptGradient, in_groups
from wslbench.landscape.hessian.vectors import draw_signs, generators_of, inner
from wslbench.training import ModelStack, Objective
from wslbench.training.objectives import Side

FloatArray = NDArray[np.float64]

StopRule = Literal["modulus", "change", "signed"]
"""When a network's trace is good enough, ``m`` being the running mean over its probes and ``m'`` that before the last:

- ``modulus``: its standard error is at most tolerance × \\|m\\|. Ours.
- ``change``: \\|m − m'\\| / (\\|m'\\| + 1e-6) < tolerance, as PyHessian stops (Yao et al. 2020, arXiv 1912.07145). Two
  probes that happen to agree end it.
- ``signed``: \\|m − m'\\| / (m' + 1e-6) < tolerance, as older PyHessian and the codes built on it stop: a negative
  running mean ends it at once, however far from converged. Only for comparison with those.
"""


class TraceEstimate(NamedTuple):
    """Hutchinson's estimate, a value a network ``[size]``: mean over its probes, standard error, probes drawn."""

    trace: FloatArray
    standard_error: FloatArray
    probes: NDArray[np.int64]


def hessian_trace(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    relative_tolerance: float = 0.1,
    minimum_probes: int = 8,
    maximum_probes: int = 64,
    side: Side = "train",
    stop_on: StopRule = "modulus",
    batch_norm: BatchNormMode = "running",
) -> TraceEstimate:
    """Hutchinson's trace estimate with Rademacher probes (Hutchinson 1989).

    A network draws probes until its standard error is below ``relative_tolerance`` times the *modulus* of
    its running mean (a negative mean must not end it), or ``maximum_probes`` are spent; the standard error
    says what was reached. Its estimate depends on its own seed alone, not on its company. A diverged network
    has the trace NaN.

    Parameters
    ----------
    seeds
        One a network.
    minimum_probes
        Before this many, nothing stops; one probe alone has the standard error NaN.
    side
        Whose samples the numbers in ``samples`` mean.
    stop_on
        The rule that ends it; see :data:`StopRule`.
    """
    generators = generators_of(seeds)
    estimates = np.full((maximum_probes, stack.size), np.nan)
    drawn = np.zeros(stack.size, dtype=np.int64)
    for active in in_groups(stack, objective, samples, side):
        product = KeptGradient(stack.select(active), objective.select(active), samples, side, batch_norm)
        for number in range(maximum_probes):
            probe = draw_signs([generators[row] for row in active], stack.parameters)
            estimates[number, active] = inner(probe, product(probe)).cpu().numpy()
            drawn[active] += 1
            if number + 1 < minimum_probes:
                continue
            # A diverged network never reaches the tolerance and must not hold up the others, nor end them.
            seen = estimates[: number + 1, active]
            wanting = ~_reached(seen, relative_tolerance, stop_on) & np.isfinite(seen).all(0)
            active = active[wanting]
            if not active.size:
                break
            product.keep(wanting)
    return _summary(estimates, drawn)


def _reached(seen: FloatArray, tolerance: float, stop_on: StopRule) -> NDArray[np.bool_]:
    """Which networks may stop after these estimates ``[probes, networks]``."""
    mean = seen.mean(0)
    if stop_on == "modulus":
        return np.asarray(_standard_error(seen) <= tolerance * np.abs(mean))
    before = seen[:-1].mean(0) if len(seen) > 1 else np.zeros_like(mean)
    scale = np.abs(before) if stop_on == "change" else before
    return np.asarray(np.abs(mean - before) / (scale + 1e-6) < tolerance)


def _standard_error(seen: FloatArray) -> FloatArray:
    if len(seen) < 2:
        return np.full(seen.shape[1:], np.nan)
    error: FloatArray = seen.std(0, ddof=1) / np.sqrt(len(seen))
    return error


def _summary(estimates: FloatArray, drawn: NDArray[np.int64]) -> TraceEstimate:
    own = [estimates[:count, [row]] for row, count in enumerate(drawn)]
    mean = np.array([seen.mean() if len(seen) else np.nan for seen in own])
    error = np.array([_standard_error(seen)[0] for seen in own])
    return TraceEstimate(mean, error, drawn)
