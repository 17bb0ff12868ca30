"""Training of several networks at once: what `neural_training` does for one, member by member but in the same steps.

No method by itself. Small networks are slow for the number of their operations, not for their size, so members that
share every operation cost little more than one. Each still has cells to validate on, an order of batches, a limit to
its gradient, an average of its weights and an end of its training of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from neural_training import LARGEST_GRADIENT, TIME_SHARE, Objective, Schedule, _share_of_rate, split_cells
from torch import Tensor, nn

from wslbench.typing import Context

Forward = Callable[[Tensor], Tensor]
Rows = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Rows for every member.

    Attributes
    ----------
    rows
        ``[members, most]``; a member that has fewer gets some of its own again.
    counts
        How many of them count, one a member.
    """

    rows: Tensor
    counts: list[int]


def train_members(
    network: nn.Module,
    forward: Forward,
    objective: Objective,
    context: Context,
    seeds: Sequence[int],
    schedule: Schedule,
) -> list[list[float]]:
    """Train the members of a network in place.

    Parameters
    ----------
    network
        On ``context.device``; the first axis of all its parameters is that of its members.
    forward
        From rows ``[members, count]`` to ``[members, count, objective.outputs]``: what each member puts out for the
        train models at its rows. Members that came to an end are not among them any more.
    objective, context
        As for one network, but for the seed.
    seeds
        Of the members: each draws its validation cells and its batches by it.
    schedule
        The same for all.

    Returns
    -------
    list of list of float
        For each member the validation loss of its every epoch, NaN without validation cells.
    """
    started = time.monotonic()
    randoms = [np.random.default_rng(seed) for seed in seeds]
    fitted, held_out = zip(*(split_cells(context.groups, random) for random in randoms), strict=True)
    batches = math.ceil(max(map(len, fitted)) / schedule.batch)
    optimiser = torch.optim.AdamW(network.parameters(), schedule.rate, weight_decay=schedule.decay, fused=True)
    steps = schedule.epochs * batches
    annealing = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _share_of_rate(step / steps))
    averaged = [parameter.detach().clone() for parameter in network.parameters()]
    kept = [parameter.clone() for parameter in averaged]
    losses: list[list[float]] = [[] for _ in seeds]
    members = np.arange(len(seeds))
    for epoch in range(schedule.epochs):
        network.train()
        deals = [np.array_split(_reordered(fitted[member], randoms[member], batches), batches) for member in members]
        for parts in zip(*deals, strict=True):
            batch = _batch(parts, context.device)
            optimiser.zero_grad()
            torch.stack(_losses(forward(batch.rows), batch, objective)).sum().backward()  # type: ignore[no-untyped-call]
            _clip(network)
            optimiser.step()
            annealing.step()
            torch._foreach_lerp_(
                averaged, [parameter.detach() for parameter in network.parameters()], 1 - schedule.averaging
            )
        _swap(network, averaged)
        found = _validation_losses(
            network, forward, objective, [held_out[member] for member in members], schedule.batch, context.device
        )
        better = [
            not loss >= min(losses[member], default=math.inf) for member, loss in zip(members, found, strict=True)
        ]
        for own, best in zip(network.parameters(), kept, strict=True):
            best[members[better]] = own.detach()[better]
        _swap(network, averaged)
        for member, loss in zip(members, found, strict=True):
            losses[member].append(loss)
        going = [epoch - int(np.nanargmin([*losses[member], math.inf])) < schedule.patience for member in members]
        if not any(going) or time.monotonic() - started > TIME_SHARE * (context.deadline - started):
            break
        if not all(going):
            members = members[going]
            averaged = [mean[going] for mean in averaged]
            _select(optimiser, going)
    for own, best in zip(network.parameters(), kept, strict=True):
        own.data = best
    network.eval()
    return losses


def _reordered(rows: Rows, random: np.random.Generator, least: int) -> Rows:
    """In a random order; again and again, if there are fewer than there are batches."""
    return np.resize(random.permutation(rows), max(len(rows), least))


def _batch(parts: Sequence[Rows], device: str) -> Batch:
    most = max(map(len, parts))
    return Batch(
        torch.from_numpy(np.stack([np.resize(part, most) for part in parts])).to(device), list(map(len, parts))
    )


def _losses(outputs: Tensor, batch: Batch, objective: Objective) -> list[Tensor]:
    return [
        objective.loss(said[:count], rows[:count])
        for said, rows, count in zip(outputs, batch.rows, batch.counts, strict=True)
    ]


def _clip(network: nn.Module) -> None:
    """No member's gradient is longer than ``LARGEST_GRADIENT``."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    shares = (LARGEST_GRADIENT / (norms + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient *= shares.view(-1, *[1] * (gradient.ndim - 1))


def _swap(network: nn.Module, others: list[Tensor]) -> None:
    for number, own in enumerate(network.parameters()):
        own.data, others[number] = others[number], own.data


def _select(optimiser: torch.optim.Optimizer, going: list[bool]) -> None:
    """Members that go on, of parameters and of what the optimiser remembers of them."""
    for parameter, state in optimiser.state.items():
        parameter.data, parameter.grad = parameter.data[going], None
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = state[name][going]


def _validation_losses(
    network: nn.Module, forward: Forward, objective: Objective, held_out: Sequence[Any], batch: int, device: str
) -> list[float]:
    everything = _batch(held_out, device)
    if everything.rows.shape[1] == 0:
        return [math.nan] * len(held_out)
    network.eval()
    with torch.no_grad():
        outputs = torch.cat([forward(rows) for rows in torch.split(everything.rows, batch, dim=1)], dim=1)
        return [float(loss) for loss in _losses(outputs, everything, objective)]
