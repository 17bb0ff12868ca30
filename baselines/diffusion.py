"""Diffusion: a network learns to take noise off aligned weights, and makes new ones out of noise, phase by phase.

Denoising diffusion (Ho et al. 2020, arXiv 2006.11239) on whole weight vectors, as Peebles et al. 2022 (*Learning to
learn with generative models of neural network checkpoints*, arXiv 2209.12892) and Wang et al. 2024 (*Neural network
parameter diffusion*, arXiv 2402.13144) do:

* every train network is aligned with one of them by weight matching, permutations and scales, so that a place in the
  vector means the same in all; batch-norm statistics are left out, since they are re-estimated before a draw is judged;
* places are standardised over the train networks of the phase that is asked for;
* a residual perceptron, told the time and the phase, predicts the velocity (Salimans and Ho 2022, arXiv 2202.00512),
  which tells noise and signal apart at every time. Networks of all phases train it. The weights whose loss on held-out
  train networks is lowest are kept, of a running average over steps;
* sampling goes back step by step from noise, with a fresh draw at every one.

Time runs over a cosine schedule (Nichol and Dhariwal 2021, arXiv 2102.09672). Training stops where held-out networks
are no longer denoised better. On `digits-cnn-seeds` that is long before networks come out that do more than guess: 768
vectors say little about how 2,548 weights hang together. Published generators train on, until they copy.
"""

from __future__ import annotations

import copy
import math
import time
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from train_networks import as_tensors, networks_of

from wslbench import Models
from wslbench.symmetry import align, apply, symmetries
from wslbench.typing import Context

STATISTICS: Final = ("running_mean", "running_var")
VALIDATION_SHARE: Final = 0.1
TIME_SHARE: Final = 0.7  # of the time up to the deadline
LARGEST_GRADIENT: Final = 1.0
OFFSET: Final = 0.008  # of the cosine schedule
FURTHEST: Final = 6.0  # standard deviations


class Settings(NamedTuple):
    """How large the denoiser is, and how it is trained.

    Attributes
    ----------
    steps
        Steps from data to noise.
    width, blocks
        Of the residual perceptron.
    waves
        Numbers that tell the time.
    epochs, patience, batch, rate, decay, averaging
        Of AdamW: most epochs, those without a lower validation loss, networks a step, learning rate, weight decay, and
        the share of the running average of weights that a step leaves alone.
    """

    steps: int = 200
    width: int = 512
    blocks: int = 2
    waves: int = 64
    epochs: int = 150
    patience: int = 25
    batch: int = 64
    rate: float = 1e-3
    decay: float = 1e-2
    averaging: float = 0.99


class Diffusion:
    """Denoising diffusion over aligned, standardised weights, conditional on the phase.

    Attributes
    ----------
    history
        After ``fit``: the validation loss of every epoch.
    parameters
        After ``fit``: numbers that were fitted.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def fit(self, models: Models, phases: npt.NDArray[Any], context: Context) -> None:
        """Align and standardise the train networks, and train the denoiser.

        Raises
        ------
        ValueError
            If there are no networks of the phase that is asked for, or the train networks are of several architectures.
        """
        torch.manual_seed(context.seed)
        networks_of(models, phases, context)  # there are some, of one architecture
        architecture, tensors = networks_of(models, np.full(len(models), context.target_phase, object), context)
        group = symmetries(architecture)
        wanted = np.flatnonzero(np.asarray(phases) == context.target_phase)
        reference = {name: values[wanted[:1]] for name, values in tensors.items()}
        aligned = apply(group, align(group, tensors, reference, scaling=True), tensors)
        self._statistics = {name: values[wanted] for name, values in aligned.items() if name.endswith(STATISTICS)}
        self._shapes = {name: values.shape[1:] for name, values in aligned.items()}
        vectors = np.concatenate(
            [values.reshape(len(values), -1) for name, values in aligned.items() if not name.endswith(STATISTICS)], 1
        )
        self._mean, self._spread = vectors[wanted].mean(0), vectors[wanted].std(0) + 1e-6
        standardised = torch.from_numpy((vectors - self._mean) / self._spread).float().clamp(-FURTHEST, FURTHEST)
        self._phases = sorted(set(map(str, phases)))
        told = torch.tensor([self._phases.index(str(phase)) for phase in phases])
        self._device = context.device
        self._network = Denoiser(standardised.shape[1], len(self._phases), self.settings).to(self._device)
        self._kept = signal_shares(self.settings.steps).to(self._device)
        self.history = self._train(standardised.to(self._device), told.to(self._device), context)
        self.parameters = sum(parameter.numel() for parameter in self._network.parameters())

    def generate(self, count: int, context: Context) -> dict[str, Tensor]:
        """``[count, *shape]`` of every tensor, out of noise."""
        generator = torch.Generator().manual_seed(context.seed)
        phase = torch.full((count,), self._phases.index(str(context.target_phase)), device=self._device)
        values = torch.randn(count, len(self._mean), generator=generator).to(self._device)
        with torch.no_grad():
            for step in reversed(range(self.settings.steps)):
                now = self._kept[step]
                before = self._kept[step - 1] if step else torch.ones_like(now)
                velocity = self._network(values, torch.full((count,), step, device=self._device), phase)
                clean = (now.sqrt() * values - (1 - now).sqrt() * velocity).clamp(-FURTHEST, FURTHEST)
                # Mean and variance of the step before, given the clean vector (Ho et al., equations 6 and 7).
                fresh = 1 - now / before
                mean = (before.sqrt() * fresh * clean + (now / before).sqrt() * (1 - before) * values) / (1 - now)
                draw = torch.randn(values.shape, generator=generator).to(self._device)
                values = mean + (fresh * (1 - before) / (1 - now)).sqrt() * draw
        vectors = values.cpu().numpy() * self._spread + self._mean
        drawn: dict[str, npt.NDArray[np.float32]] = {}
        start, random = 0, np.random.default_rng(context.seed)
        known = len(next(iter(self._statistics.values()), ()))
        chosen = random.integers(max(1, known), size=count)
        for name, shape in self._shapes.items():
            if name in self._statistics:
                drawn[name] = self._statistics[name][chosen]
                continue
            size = math.prod(shape)
            drawn[name] = vectors[:, start : start + size].reshape(count, *shape).astype(np.float32)
            start += size
        return as_tensors(drawn)

    def _train(self, vectors: Tensor, phases: Tensor, context: Context) -> list[float]:
        settings, started = self.settings, time.monotonic()
        random = np.random.default_rng(context.seed)
        order = torch.from_numpy(random.permutation(len(vectors))).to(vectors.device)
        held_out, fitted = order.tensor_split([max(1, round(VALIDATION_SHARE * len(order)))])
        told = torch.Generator().manual_seed(context.seed)
        optimiser = torch.optim.AdamW(self._network.parameters(), settings.rate, weight_decay=settings.decay)
        averaged = torch.optim.swa_utils.AveragedModel(
            self._network,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
        )
        losses: list[float] = []
        best = copy.deepcopy(self._network.state_dict())
        for _ in range(settings.epochs):
            self._network.train()
            shuffled = fitted[torch.from_numpy(random.permutation(len(fitted))).to(fitted.device)]
            for start in range(0, len(shuffled), settings.batch):
                rows = shuffled[start : start + settings.batch]
                optimiser.zero_grad()
                self._loss(self._network, vectors[rows], phases[rows], told).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
                optimiser.step()
                averaged.update_parameters(self._network)
            losses.append(self._validation_loss(averaged.module, vectors[held_out], phases[held_out]))
            if losses[-1] == min(losses):
                best = copy.deepcopy(averaged.module.state_dict())
            late = time.monotonic() - started > TIME_SHARE * (context.deadline - started)
            if late or len(losses) - 1 - int(np.argmin(losses)) >= settings.patience:
                break
        self._network.load_state_dict(best)
        self._network.eval()
        return losses

    def _loss(self, network: nn.Module, vectors: Tensor, phases: Tensor, told: torch.Generator) -> Tensor:
        """Mean squared error of the velocity, at random times."""
        steps = torch.randint(self.settings.steps, (len(vectors),), generator=told).to(vectors.device)
        noise = torch.randn(vectors.shape, generator=told).to(vectors.device)
        signal, rest = self._kept[steps, None].sqrt(), (1 - self._kept[steps, None]).sqrt()
        predicted = network(signal * vectors + rest * noise, steps, phases)
        loss: Tensor = (predicted - (signal * noise - rest * vectors)).square().mean()
        return loss

    def _validation_loss(self, network: nn.Module, vectors: Tensor, phases: Tensor) -> float:
        """The same times and noise in every epoch, several a network."""
        told = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return float(np.mean([float(self._loss(network, vectors, phases, told)) for _ in range(8)]))


class Denoiser(nn.Module):
    """From a noisy vector, its time and its phase to its velocity.

    Parameters
    ----------
    size, phases
        Numbers of a vector, and how many phases there are.
    settings
        Sizes.
    """

    def __init__(self, size: int, phases: int, settings: Settings) -> None:
        super().__init__()
        self.steps, self.waves = settings.steps, settings.waves
        self.phase = nn.Embedding(phases, settings.width)
        self.time = nn.Sequential(nn.Linear(settings.waves, settings.width), nn.SiLU())
        self.entry, self.exit = nn.Linear(size, settings.width), nn.Linear(settings.width, size)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(settings.width),
                nn.Linear(settings.width, settings.width),
                nn.SiLU(),
                nn.Linear(settings.width, settings.width),
            )
            for _ in range(settings.blocks)
        )

    def forward(self, vectors: Tensor, steps: Tensor, phases: Tensor) -> Tensor:
        """``[n, size]``."""
        rates = torch.exp(torch.linspace(0, math.log(self.steps), self.waves // 2, device=vectors.device))
        angles = steps[:, None] / self.steps * rates * math.pi
        told = self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.phase(phases)
        hidden = self.entry(vectors)
        for block in self.blocks:
            hidden = hidden + block(hidden + told)
        result: Tensor = self.exit(hidden)
        return result


def signal_shares(steps: int) -> Tensor:
    """``[steps]``: share of the variance that is still signal after each step, falling from nearly 1 to nearly 0."""
    moments = torch.arange(steps + 1, dtype=torch.float64) / steps
    shares = torch.cos((moments + OFFSET) / (1 + OFFSET) * math.pi / 2).square()
    return (shares[1:] / shares[0]).clamp(1e-4, 0.9999).float()
