"""Order parameters of a stack of networks, by a definition: columns of numbers, a value a network or a seed pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.annotation.definition import Definition, HessianSettings, SimilarityDefinition
from wslbench.errors import LandscapeError
from wslbench.landscape.alignment import aligned_ends
from wslbench.landscape.connectivity import CurveValues, fit_curves, straight_lines
from wslbench.landscape.hessian import EigenEstimate, hessian_trace, power_iteration, top_eigenvalue
from wslbench.landscape.similarity import linear_cka
from wslbench.training import ModelStack, Objective, Optimisation, PassSize, seed_from
from wslbench.training.loop import Progress
from wslbench.training.objectives import DrawnSamples, Side

Columns = dict[str, NDArray[np.float64]]
Labels = Sequence[tuple[str, int, int]]

PAIRS_PER_PASS = 10
"""Pairs whose representations are held at a time: those of a whole block may not fit in memory."""

_SIDES: tuple[tuple[Side, str], ...] = (("train", ""), ("test", "_test"))


def hessian_samples(zoo: str, size: int, subset_size: int, side: Side = "train") -> NDArray[np.int64]:
    """The samples of one side that Hessians are taken on, the same for every network of the zoo, ascending."""
    word = "hessian-subset" if side == "train" else "hessian-subset-test"
    order = np.random.default_rng(seed_from(zoo, word)).permutation(size)
    samples: NDArray[np.int64] = np.sort(order[:subset_size])
    return samples


def hessian_columns(
    stack: ModelStack, objective: Objective, definition: Definition, zoo: str, runs: Sequence[tuple[str, int]]
) -> Columns:
    """Trace and top eigenvalue on train and test samples, a value a network."""
    settings = _hessian_settings(definition)
    columns: Columns = {}
    for side, ending in _SIDES:
        words = [f"{word}{ending.replace('_', '-')}" for word in ("hessian-trace", "hessian-eigenvalue")]
        seeds = [[seed_from(zoo, cell_id, seed, word) for cell_id, seed in runs] for word in words]
        size = objective.train_size if side == "train" else objective.test_size
        samples = hessian_samples(zoo, size, settings.subset_size, side)
        trace = hessian_trace(
            stack,
            objective,
            samples,
            seeds[0],
            relative_tolerance=settings.relative_tolerance,
            minimum_probes=settings.minimum_probes,
            maximum_probes=settings.maximum_probes,
            side=side,
            stop_on=settings.stop_on,
            batch_norm=settings.batch_norm,
        )
        top = _top_eigenvalue(stack, objective, samples, seeds[1], settings, side)
        columns |= {
            f"hessian_trace{ending}": trace.trace,
            f"hessian_trace{ending}_se": trace.standard_error,
            f"hessian_top_eigenvalue{ending}": top.eigenvalue,
            f"hessian_top_residual{ending}": top.residual,
        }
    return columns


def curve_columns(
    start: ModelStack,
    end: ModelStack,
    objective: Objective,
    definition: Definition,
    zoo: str,
    labels: Labels,
    epoch: int,
    progress: Progress | None = None,
    pass_size: PassSize | None = None,
    *,
    longer: bool = False,
) -> Columns:
    """Mode connectivity, and error and loss along the curves, a value a pair.

    ``longer`` curves are trained twice as long, on a schedule stretched to that and from seeds of their own; of them,
    the mode connectivity alone.
    """
    seeds = [seed_from(zoo, cell_id, a, b, epoch, "longer-curve" if longer else "curve") for cell_id, a, b in labels]
    curve, how = _curve(definition), definition.curve
    if longer:
        steps = [2 * step for step in curve.step_epochs]
        curve = curve.model_copy(update={"epochs": 2 * curve.epochs, "step_epochs": steps})
    fit = fit_curves(start, end, objective, curve, seeds, progress, pass_size, how.points, how.decay, how.bend_start)
    if longer:
        return {"longer_mode_connectivity": fit.mode_connectivity}
    return {"mode_connectivity": fit.mode_connectivity} | _along(fit, definition, "")


def line_columns(start: ModelStack, end: ModelStack, objective: Objective, definition: Definition) -> Columns:
    """The same along straight lines: between the ends as they are, and after the second is aligned with the first."""
    line = straight_lines(start, end, objective, definition.curve.points)
    aligned = straight_lines(start, aligned_ends(start, end), objective, definition.curve.points)
    return (
        {"linear_connectivity": line.mode_connectivity, "aligned_linear_connectivity": aligned.mode_connectivity}
        | _along(line, definition, "line_")
        | _along(aligned, definition, "aligned_line_")
    )


def cka_of_pairs(
    stack: ModelStack,
    objective: Objective,
    definition: Definition,
    zoo: str,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Linear CKA of pairs of networks of a stack, a value a pair."""
    how = definition.similarity
    drawn = drawn_samples(zoo, objective.train_size if how.side == "train" else objective.test_size, how)
    values = []
    for begin in range(0, len(first), PAIRS_PER_PASS):
        some = slice(begin, begin + PAIRS_PER_PASS)
        rows, places = np.unique(np.stack([first[some], second[some]]), return_inverse=True)
        outputs = objective.select(rows).representation(stack.select(rows), how.layer, how.side, drawn)
        if how.softmax:
            outputs = outputs.softmax(dim=-1)
        one, other = torch.from_numpy(places.reshape(2, -1)).to(outputs.device)
        parts = _batches(outputs, how)
        similarity = torch.stack([linear_cka(part[one], part[other]) for part in parts]).mean(0)
        values.append(similarity.cpu().numpy())
    return np.concatenate(values)


def drawn_samples(zoo: str, size: int, how: SimilarityDefinition) -> DrawnSamples | None:
    """The samples of one side that CKA compares, the same for every network of the zoo; None: all of them.

    Whole batches only, as many as there are samples for; a side smaller than a batch is one batch.
    """
    if how.batch_size is None or how.batches is None:
        return None
    generator = np.random.default_rng(seed_from(zoo, "cka-samples"))
    batches = max(1, min(how.batches, size // how.batch_size))
    rows = generator.permutation(size)[: batches * how.batch_size]
    if how.mixup is None:
        return DrawnSamples(rows)
    partners, weights = [], []
    for begin in range(0, len(rows), how.batch_size):
        batch = rows[begin : begin + how.batch_size]
        partners.append(generator.permutation(batch))
        weights.append(np.full(len(batch), generator.beta(how.mixup, how.mixup)))
    return DrawnSamples(rows, np.concatenate(partners), np.concatenate(weights))


def _batches(outputs: Tensor, how: SimilarityDefinition) -> list[Tensor]:
    """What is compared at a time, of ``[size, samples, features]``."""
    if how.pooled or how.batch_size is None:
        return [outputs]
    starts = range(0, outputs.shape[1], how.batch_size)
    return [outputs[:, start : start + how.batch_size] for start in starts]


def _top_eigenvalue(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    seeds: Sequence[int],
    settings: HessianSettings,
    side: Side,
) -> EigenEstimate:
    if settings.eigenvalue_by == "power":
        iterations, tolerance = settings.power_iterations, settings.power_tolerance
        return power_iteration(stack, objective, samples, seeds, iterations, tolerance, side, settings.batch_norm)
    iterations = settings.lanczos_iterations
    return top_eigenvalue(
        stack, objective, samples, seeds, iterations=iterations, side=side, batch_norm=settings.batch_norm
    )


def _along(values: CurveValues, definition: Definition, prefix: str) -> Columns:
    return {
        f"{prefix}{side}_{quantity}_{t:g}": getattr(values, f"{side}_{quantity}")[:, place]
        for side in ("train", "test")
        for place, t in enumerate(definition.curve.points)
        for quantity in ("error", "loss")
    }


def _curve(definition: Definition) -> Optimisation:
    if definition.curve.optimisation is None:
        raise LandscapeError(f"definition {definition.name!r} leaves the training of curves open, and so does the zoo")
    return definition.curve.optimisation


def _hessian_settings(definition: Definition) -> HessianSettings:
    if definition.hessian is None:
        raise LandscapeError(f"definition {definition.name!r} leaves the Hessian open, and so does the zoo")
    return definition.hessian
