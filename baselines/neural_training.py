"""What the neural baselines share: targets as a network sees them, and training with early stopping on held-out cells.

No method by itself. A fifth of the *cells* of the train models is set aside for validation; the weights of the epoch
with the lowest validation loss are kept. Nothing here sees a test model.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wslbench.typing import Context

VALIDATION_SHARE = 0.2
WARM_UP = 0.05  # of all steps
LARGEST_GRADIENT = 1.0
TIME_SHARE = 0.7  # of the time up to the deadline; the rest is for predictions


class Schedule(NamedTuple):
    """How a network is trained.

    Attributes
    ----------
    epochs
        Most passes over the train models.
    patience
        Epochs without a lower validation loss after which training ends.
    batch
        Models a step.
    rate
        Highest learning rate of AdamW: reached after a linear warm-up, then annealed along a half cosine.
    decay
        Weight decay.
    averaging
        Share of the running average of weights, over steps, that a step leaves alone; the average is what is validated
        and kept. 0: the weights themselves.
    """

    epochs: int
    patience: int
    batch: int
    rate: float
    decay: float
    averaging: float = 0.0


class Objective:
    """What a network's outputs mean: logits of phases of equal weight, or a standardised value.

    Parameters
    ----------
    target
        Phases or values of the train models, as ``fit`` gets them.
    context
        As ``fit`` gets it.
    """

    def __init__(self, target: npt.NDArray[Any], context: Context) -> None:
        self._classes = context.classes
        self._shift, self._scale = 0.0, 1.0
        if self._classes:
            indicators = np.asarray(target)[:, None] == np.array(self._classes, dtype=object)
            self._seen = torch.from_numpy(indicators.any(axis=0)).to(context.device)
            share = np.maximum(indicators.mean(axis=0), 1 / len(target))
            weights = (indicators / share).sum(axis=1)
            self._labels = torch.from_numpy(indicators.argmax(axis=1)).to(context.device)
        else:
            values = np.asarray(target, np.float64)
            self._shift, self._scale = float(values.mean()), float(values.std()) or 1.0
            weights = np.ones(len(values))
            self._labels = torch.from_numpy((values - self._shift) / self._scale).float().to(context.device)
        self._weights = torch.from_numpy(weights / weights.mean()).float().to(context.device)

    @property
    def outputs(self) -> int:
        """Numbers that the network has to put out."""
        return max(1, len(self._classes))

    def loss(self, outputs: Tensor, rows: Tensor) -> Tensor:
        """Weighted mean over models: cross-entropy, or Huber's loss; ``outputs`` are ``[len(rows), outputs]``."""
        if self._classes:
            losses = nn.functional.cross_entropy(self._masked(outputs), self._labels[rows], reduction="none")
        else:
            losses = nn.functional.smooth_l1_loss(outputs[:, 0], self._labels[rows], reduction="none")
        return (losses * self._weights[rows]).mean()

    def predictions(self, outputs: Tensor) -> npt.NDArray[np.float64]:
        """Probabilities ``[n, classes]``, or values ``[n]`` on the target's own scale."""
        outputs = outputs.detach().double()
        if self._classes:
            return np.asarray(self._masked(outputs).softmax(1).cpu().numpy())
        return np.asarray(outputs[:, 0].cpu().numpy() * self._scale + self._shift)

    def _masked(self, outputs: Tensor) -> Tensor:
        """A phase that no train model shows has no probability."""
        return outputs.masked_fill(~self._seen, -1e9)


class History(NamedTuple):
    """Validation loss of every epoch (NaN without validation cells), and the epoch whose weights were kept."""

    losses: list[float]
    kept: int


def train(
    network: nn.Module, forward: Callable[[Tensor], Tensor], objective: Objective, context: Context, schedule: Schedule
) -> History:
    """Train a network in place.

    Parameters
    ----------
    network
        On ``context.device``.
    forward
        Outputs ``[len(rows), objective.outputs]`` of the train models at these rows.
    """
    started = time.monotonic()
    random = np.random.default_rng(context.seed)
    fitted, held_out = split_cells(context.groups, random)
    steps = schedule.epochs * math.ceil(len(fitted) / schedule.batch)
    optimiser = torch.optim.AdamW(network.parameters(), schedule.rate, weight_decay=schedule.decay)
    annealing = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _share_of_rate(step / steps))
    losses: list[float] = []
    averaged = torch.optim.swa_utils.get_ema_multi_avg_fn(schedule.averaging)  # type: ignore[no-untyped-call]
    mean = copy.deepcopy(list(network.parameters()))
    best, kept = math.inf, copy.deepcopy(network.state_dict())
    for epoch in range(schedule.epochs):
        network.train()
        order = random.permutation(fitted)
        for first in range(0, len(order), schedule.batch):
            rows = torch.from_numpy(order[first : first + schedule.batch]).to(context.device)
            optimiser.zero_grad()
            objective.loss(forward(rows), rows).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            annealing.step()
            averaged(mean, list(network.parameters()), None)
        _swap(network, mean)
        losses.append(_validation_loss(network, forward, objective, held_out, schedule.batch, context.device))
        if not losses[-1] >= best:  # without validation cells the last epoch is kept
            best, kept = losses[-1], copy.deepcopy(network.state_dict())
        _swap(network, mean)
        if epoch - int(np.nanargmin([*losses, math.inf])) >= schedule.patience:
            break
        if time.monotonic() - started > TIME_SHARE * (context.deadline - started):
            break
    network.load_state_dict(kept)
    network.eval()
    return History(losses, int(np.nanargmin(losses)) if np.isfinite(losses).any() else len(losses) - 1)


def split_cells(groups: npt.NDArray[np.int64], random: np.random.Generator) -> tuple[Any, Any]:
    """Rows to fit on and rows to validate on, of different cells; nothing to validate on where there is one cell."""
    cells = random.permutation(np.unique(groups))
    count = 0 if len(cells) < 2 else max(1, round(VALIDATION_SHARE * len(cells)))
    held_out = np.isin(groups, cells[:count])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _swap(network: nn.Module, parameters: list[nn.Parameter]) -> None:
    """Exchange a network's parameters for others, in place."""
    with torch.no_grad():
        for own, other in zip(network.parameters(), parameters, strict=True):
            held = own.clone()
            own.copy_(other)
            other.copy_(held)


def _validation_loss(
    network: nn.Module,
    forward: Callable[[Tensor], Tensor],
    objective: Objective,
    held_out: npt.NDArray[np.int64],
    batch: int,
    device: str,
) -> float:
    if len(held_out) == 0:
        return math.nan
    network.eval()
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(held_out), batch):
            rows = torch.from_numpy(held_out[first : first + batch]).to(device)
            total += float(objective.loss(forward(rows), rows)) * len(rows)
    return total / len(held_out)


def _share_of_rate(done: float) -> float:
    return min(done / WARM_UP, 0.5 * (1 + math.cos(math.pi * min(done, 1))))
