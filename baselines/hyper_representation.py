"""Hyper-representation: a sequential auto-encoder over weight tokens, read by a linear probe, sampled to make networks.

After SANE (Schürholt, Mahoney and Borth 2024, *Towards scalable and versatile weight space learning*, arXiv
2406.09997). Every network is a sequence of tokens, none of which holds numbers of two units
(:func:`wslbench.encodings.tokens`); a transformer encodes short windows of it, token by token, and another one decodes
them. Both are told a token's place in the network, its layer, and its place in the layer.

* Train networks are aligned with one of their architecture by weight matching. Training sees every window twice: as it
  was aligned, and, of the same network, in a random order of its hidden units, with noise. Both have to be
  reconstructed; their codes have to be more alike than those of two networks (NT-Xent, Chen et al. 2020, arXiv
  2002.05709).
* Numbers are made comparable before: weights times √fan-in, so that widths share a scale, under asinh; variances as
  logarithms. All of it can be undone exactly, and variances come back positive.
* Predictions: the mean and the logarithmic spread of the codes over each quarter of the depth, and a ridge or logistic
  regression on them, with a penalty chosen on held-out cells. A copy of the encoder is trained on with the target,
  under a linear read-out of the same numbers; it is used instead where it is better on held-out cells.
  A network is brought to canonical order, and aligned, before it is read: the order of its hidden units says nothing.
* Generation: a kernel density over the codes of the train networks of the wanted phase. Every token of every network
  has a noise draw of its own; the published code uses one draw for all the tokens of a network. The tokens of a new
  network stand around those of one train network: with tokens around those of any, networks of the digits zoos guess.
  Scales that do not matter to what a network computes are folded out first.

Weights of small networks hardly compress, and a network whose weights are a little off is soon a bad one, so codes are
as long as tokens. What the decoder can learn beyond copying is to undo noise, on codes and on what is encoded.

A network of an architecture that training did not show has nothing to be aligned with; tensors whose names training
did not show are taken as they are. Predictions are computed in float64, so that they do not depend on company.

Every setting is fixed. Few were tried, inside the train side of one fold of digits-cnn, of convection-pinn and of the
digits zoo for generation: fine-tuning helps with the phases of digits-cnn, not with the phases or the error of PINNs.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from neural_training import Objective, Schedule, split_cells, train
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from wslbench import Models, symmetry
from wslbench.architectures import Architecture
from wslbench.encodings import TokenScale, from_tokens, tokens
from wslbench.encodings.weight_tokens import TensorScale
from wslbench.errors import ArchitectureError
from wslbench.typing import Context
from wslbench.zoo import Source, Stack

Tensors = dict[str, npt.NDArray[np.float32]]

QUARTERS: Final = 4  # of the depth, over which codes are pooled
LARGEST: Final = 8.0  # standardised numbers beyond count as that
LEAST_VARIANCE: Final = 1e-12
LEAST_SPREAD: Final = 1e-6  # of codes, squared
PLACES: Final = 4  # numbers that tell where a token stands
WAVES: Final = tuple(math.pi / 2 * 4.0**-power for power in range(5))
TOGETHER: Final = 256  # windows that are encoded at once where no gradient is wanted
PENALTIES: Final = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
FOLDS: Final = 5


class Settings(NamedTuple):
    """How large the auto-encoder is, how it is trained, and how it is used.

    Attributes
    ----------
    size, code
        Numbers a token, and numbers that it is encoded by.
    width, layers, heads
        Numbers a token within the transformers, and their layers and heads.
    window
        Tokens that are encoded together.
    variants
        Orders of its hidden units that each train network is seen in, besides the aligned one.
    noise
        Standard deviation of the noise on the reordered view, in units of standardised numbers.
    shake
        Standard deviation of the noise on codes that the decoder learns to undo, in units of their own.
    contrast, temperature
        Weight of NT-Xent beside the reconstruction's error, and its temperature.
    fine_tuning
        Epochs of training with the target, as a share of those without; 0: the linear probe alone.
    bandwidth
        Of the kernel density, in units of each code number's standard deviation among the networks of the phase.
    whole
        Whether all tokens of a new network stand around the codes of one train network, or each around its own.
    schedule
        How the auto-encoder is trained.
    """

    size: int = 64
    code: int = 64
    width: int = 64
    layers: int = 2
    heads: int = 4
    window: int = 32
    variants: int = 4
    noise: float = 0.1
    shake: float = 0.3
    contrast: float = 0.1
    temperature: float = 0.1
    fine_tuning: float = 2.0
    bandwidth: float = 0.1
    whole: bool = True
    schedule: Schedule = Schedule(epochs=10, patience=10, batch=32, rate=2e-3, decay=0.01)


class HyperRepresentation:
    """Auto-encoder over weight tokens (SANE): a linear probe reads its codes, their kernel density makes networks.

    Attributes
    ----------
    history
        After ``fit``: the auto-encoder's loss on held-out cells, epoch by epoch, and which epoch was kept.
    parameters
        After ``fit``: numbers of the auto-encoder.
    tuned
        After ``fit``: whether predictions come from the encoder that was trained on with the target.
    """

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - it cannot be changed
        self.settings = settings

    def supports(self, architecture: Architecture) -> str | None:
        """Why an architecture cannot be read: which of its units can change places has to be known."""
        try:
            symmetry.symmetries(architecture)
        except ArchitectureError as error:
            return f"{architecture.builder} networks cannot be aligned: {error}"
        return None

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Train the auto-encoder; then fit the probe, or keep the codes of the phase that is going to be asked for."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            self._fit(models, target, context)

    def _fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        started = time.monotonic()
        self.tuned = False
        self._device = context.device
        self._reader = Reader(models, target, self.settings.size, context)
        aligned = self._reader.aligned(models)
        self._reader.learn_scale(aligned)
        orders = [symmetry.disguise(aligned, seed, scaling=False) for seed in self._seeds(context)]
        views = [self._reader.read(each).to(context.device) for each in (aligned, *orders)]
        self._coder = AutoEncoder(self.settings).to(context.device)
        told, tunes = context, self.settings.fine_tuning > 0 and context.target_phase is None
        if tunes:
            told = replace(told, deadline=started + (context.deadline - started) / 2)
        if context.target_phase is not None:  # few cells, and each has to be learned: other seeds are held out
            told = replace(told, groups=np.arange(len(models)))
        pretext = Pretext(self._coder, views, self.settings, context.seed).to(context.device)
        self.history = train(pretext, pretext, Mean(), told, self.settings.schedule)
        self.parameters = sum(parameter.numel() for parameter in self._coder.parameters())
        if context.target_phase is not None:
            self._keep(aligned, target, context.target_phase)
            return
        frozen = copy.deepcopy(self._coder).double()
        plain = views[0].double()
        probe = Probe(described(frozen, plain), target, context)
        self._reading: tuple[AutoEncoder, Answer] = (frozen, probe)
        if tunes and probe.held_out is not None:
            tuned = self._tuned(views, target, context)
            rows = split_cells(context.groups, np.random.default_rng(context.seed))[1]  # as in its training
            found = tuned(described(self._coder, plain.at(torch.from_numpy(rows).to(context.device))))
            truth = np.asarray(target)[rows]
            self.tuned = probe.loss(found, truth) < probe.loss(probe.held_out[rows], truth)
            if self.tuned:
                self._reading = (self._coder, tuned)

    def predict(self, models: Models) -> npt.NDArray[np.float64]:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        coder, answer = self._reading
        return answer(described(coder, self._reader.read(self._reader.aligned(models)).to(self._device).double()))

    def generate(self, count: int, context: Context) -> dict[str, Tensor]:
        """``[count, *shape]`` tensors of new networks: codes are drawn token by token, and decoded."""
        random = np.random.default_rng(context.seed)
        drawn = draw(self._codes, count, self.settings.bandwidth, random, whole=self.settings.whole)
        values = np.concatenate(
            [
                decoded(self._coder, self._place, torch.from_numpy(drawn[first : first + TOGETHER])).cpu().numpy()
                for first in range(0, count, TOGETHER)
            ]
        )
        tensors = self._reader.written(values, self._architecture)
        return {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}

    def _seeds(self, context: Context) -> list[int]:
        """Of the orders of hidden units."""
        return [int(seed) for seed in np.random.SeedSequence(context.seed).generate_state(self.settings.variants)]

    def _keep(self, aligned: Models, target: npt.NDArray[Any], phase: str) -> None:
        """Keep the codes of the train networks of a phase; where several architectures show it, of the commonest."""
        wanted = np.flatnonzero(np.asarray(target) == phase)
        chosen = aligned[wanted if len(wanted) else np.arange(len(aligned))]
        stack = max(chosen.by_architecture(), key=len)
        sequences = self._reader.read(chosen[stack.positions]).to(self._device)
        self._coder.double()
        self._codes = encoded(self._coder, sequences.double()).cpu().numpy()
        self._place = sequences.double().at(slice(1))
        self._architecture = stack.architecture

    def _tuned(self, views: list[Sequences], target: npt.NDArray[Any], context: Context) -> Answer:
        """Train the encoder on with a linear read-out; the read-out and what it means."""
        objective = Objective(target, context)
        tuned = Tuned(self._coder, views, objective.outputs, context.seed).to(context.device)
        schedule = self.settings.schedule
        epochs = max(1, round(self.settings.fine_tuning * schedule.epochs))
        train(tuned, tuned, objective, context, schedule._replace(epochs=epochs, rate=schedule.rate / 4))
        tuned.double()
        return lambda codes: objective.predictions(tuned.read_out(codes))


Answer = Callable[[Tensor], npt.NDArray[np.float64]]  # from pooled codes to predictions


class Sequences(NamedTuple):
    """Networks as sequences of standardised tokens.

    Attributes
    ----------
    values
        ``[n, length, size]``.
    mask
        ``[n, length, size]``: 1 where a weight stands.
    places
        ``[n, length, PLACES]``: place in the network, layer, place in the layer, and how much of the token is filled.
    quarter
        ``[n, length]``: of the depth.
    lengths
        ``[n]`` tokens a network.
    """

    values: Tensor
    mask: Tensor
    places: Tensor
    quarter: Tensor
    lengths: Tensor

    def to(self, device: str) -> Sequences:
        """The same on a device."""
        return Sequences(*(each.to(device) for each in self))

    def double(self) -> Sequences:
        """The same in double precision."""
        return self._replace(values=self.values.double(), mask=self.mask.double(), places=self.places.double())

    def at(self, rows: Any) -> Sequences:
        """Those of some networks."""
        return Sequences(*(each[rows] for each in self))

    def windows(self, rows: Tensor, starts: Tensor, length: int) -> Sequences:
        """``length`` tokens from ``starts`` on of the networks at ``rows``; ``lengths`` says how many there are."""
        index = (starts[:, None] + torch.arange(length, device=rows.device)).clamp_max(self.values.shape[1] - 1)
        at = (rows[:, None], index)
        lengths = (self.lengths[rows] - starts).clamp(0, length)
        return Sequences(self.values[at], self.mask[at], self.places[at], self.quarter[at], lengths)

    def present(self) -> Tensor:
        """``[n, length]``: where there is a token."""
        return torch.arange(self.values.shape[1], device=self.values.device) < self.lengths[:, None]


class Reader:
    """From networks to sequences of tokens and back.

    Parameters
    ----------
    models
        Train networks.
    target
        Theirs: where a phase is going to be asked for, one of its networks is what others are aligned with.
    size
        Numbers a token.
    context
        As ``fit`` gets it.
    """

    def __init__(self, models: Models, target: npt.NDArray[Any], size: int, context: Context) -> None:
        self._size = size
        self._scale = TokenScale({})
        self._references: dict[str, Tensors] = {}
        # Magnitudes tell phases apart. They do not matter to what a network computes, so new networks share them.
        self._scaling = context.target_phase is not None
        random = np.random.default_rng(context.seed)
        for stack in models.by_architecture():
            preferred = np.flatnonzero(np.asarray(target)[stack.positions] == context.target_phase)
            row = random.choice(preferred if len(preferred) else len(stack))
            reference = {name: stack[name][row : row + 1] for name in stack.keys()}  # noqa: SIM118 - no mapping
            self._references[described_by(stack.architecture)] = reference

    def aligned(self, models: Models) -> Models:
        """Every network in canonical order, then aligned with the train network that its architecture is matched to."""

        def move(stack: Stack) -> Tensors:
            group = symmetry.symmetries(stack.architecture)
            tensors = {name: stack[name] for name in stack.keys()}  # noqa: SIM118 - no mapping
            tensors = symmetry.apply(group, symmetry.canonicalise(group, tensors, scaling=False), tensors)
            reference = self._references.get(described_by(stack.architecture))
            if reference is not None:
                tensors = symmetry.apply(
                    group, symmetry.align(group, tensors, reference, scaling=self._scaling), tensors
                )
            return tensors

        return changed(models, move)

    def learn_scale(self, models: Models) -> None:
        """Standardise tensor by tensor, as these networks are."""
        self._scale = TokenScale.fit(changed(models, comparable))

    def read(self, models: Models) -> Sequences:
        """Networks as sequences; tensors of names that training did not show are not standardised."""
        names = {name for stack in models.by_architecture() for name in stack.keys()}  # noqa: SIM118
        scale = TokenScale(dict.fromkeys(names, TensorScale(0.0, 1.0)) | dict(self._scale.tensors))
        batch = tokens(changed(models, comparable), size=self._size, scale=scale)
        filled = batch.mask.mean(2, keepdims=True)
        layers = batch.positions[:, :, 1]
        depth = layers.max(axis=1, keepdims=True) + 1
        return Sequences(
            torch.from_numpy(batch.values.clip(-LARGEST, LARGEST)),
            torch.from_numpy(batch.mask.astype(np.float32)),
            torch.from_numpy(np.concatenate([batch.positions, filled], axis=2).astype(np.float32)),
            torch.from_numpy(np.maximum(layers, 0) * QUARTERS // depth),
            torch.from_numpy((layers >= 0).sum(1)),
        )

    def written(self, values: npt.NDArray[np.float64], architecture: Architecture) -> Tensors:
        """The tensors that ``[n, length, size]`` standardised tokens stand for: the way back."""
        stacked = from_tokens(values.clip(-LARGEST, LARGEST), architecture, self._scale)
        return {name: original(name, tensor) for name, tensor in stacked.items()}


def described_by(architecture: Architecture) -> str:
    """An architecture as text."""
    return architecture.model_dump_json()


def changed(models: Models, change: Callable[[Stack], Mapping[str, npt.NDArray[Any]]]) -> Models:
    """The same networks with other tensors, stack by stack."""
    sources = []
    which, rows = np.zeros(len(models), np.intp), np.zeros(len(models), np.intp)
    for number, stack in enumerate(models.by_architecture()):
        tensors = dict(change(stack))
        sources.append(Source(stack.name, stack.architecture, lambda tensors=tensors: tensors))  # type: ignore[misc]
        which[stack.positions], rows[stack.positions] = number, np.arange(len(stack))
    return Models(models.ids, sources, which, rows)


def comparable(stack: Stack) -> Tensors:
    """Weights times √fan-in under asinh, variances as logarithms; 0 for what is no number."""
    found = {}
    for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
        values = np.nan_to_num(stack[name].astype(np.float64))
        if is_variance(name):
            values = np.log(np.maximum(values, LEAST_VARIANCE))
        else:
            values = np.arcsinh(values * root_fan_in(stack.shape(name)))
        found[name] = values.astype(np.float32)
    return found


def original(name: str, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Undo :func:`comparable`."""
    values = tensor.astype(np.float64)
    values = np.exp(values) if is_variance(name) else np.sinh(values) / root_fan_in(tensor.shape[1:])
    limits = np.finfo(np.float32)
    return values.clip(limits.tiny if is_variance(name) else limits.min, limits.max).astype(np.float32)


def is_variance(name: str) -> bool:
    """Whether a tensor is a batch norm's variance."""
    return name.endswith("running_var")


def root_fan_in(shape: tuple[int, ...]) -> float:
    """√fan-in of a weight; 1 for what is a number a unit."""
    return math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 1.0


class AutoEncoder(nn.Module):
    """A transformer from tokens to codes, and one from codes to tokens, each beside a linear map.

    The linear maps learn what a token says by itself within a few steps; the transformers learn what is left.

    Parameters
    ----------
    settings
        Sizes.
    """

    waves: Tensor

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("waves", torch.tensor(WAVES))
        places = PLACES * 2 * len(WAVES)
        self.entry = nn.Linear(settings.size + places, settings.width)
        self.encoder = transformer(settings)
        self.to_code = nn.Linear(settings.width, settings.code)
        self.token_to_code = nn.Linear(settings.size, settings.code)
        self.from_code = nn.Linear(settings.code + places, settings.width)
        self.decoder = transformer(settings)
        self.exit = nn.Linear(settings.width, settings.size)
        self.code_to_token = nn.Linear(settings.code, settings.size)
        for last in (self.to_code, self.exit):
            nn.init.zeros_(last.weight)
        nn.init.orthogonal_(self.token_to_code.weight)
        with torch.no_grad():
            self.code_to_token.weight.copy_(self.token_to_code.weight.T)

    def encode(self, windows: Sequences) -> Tensor:
        """``[windows, length, code]``."""
        entered = self.entry(torch.cat([windows.values, self._waves(windows)], 2))
        context = self.encoder(entered, src_key_padding_mask=absent(windows))
        codes: Tensor = self.to_code(context) + self.token_to_code(windows.values)
        return codes

    def decode(self, codes: Tensor, windows: Sequences) -> Tensor:
        """``[windows, length, size]``; of the windows, only where their tokens stand is looked at."""
        entered = self.from_code(torch.cat([codes, self._waves(windows)], 2))
        context = self.decoder(entered, src_key_padding_mask=absent(windows))
        values: Tensor = self.exit(context) + self.code_to_token(codes)
        return values

    def _waves(self, windows: Sequences) -> Tensor:
        angles = (windows.places[..., None] * self.waves).flatten(2)
        return torch.cat([angles.sin(), angles.cos()], 2)


def transformer(settings: Settings) -> nn.Module:
    """Layers of self-attention, normed before each part and at the end."""
    layer = nn.TransformerEncoderLayer(
        settings.width, settings.heads, 4 * settings.width, dropout=0.0, batch_first=True, norm_first=True
    )
    norm = nn.LayerNorm(settings.width)
    return nn.TransformerEncoder(layer, settings.layers, norm, enable_nested_tensor=False)


def absent(windows: Sequences) -> Tensor:
    """Where nothing is to be looked at; the first place is, in a window without any token."""
    present = windows.present()
    present[:, 0] = True
    return ~present


class Pretext(nn.Module):
    """What the auto-encoder is trained for: ``forward`` gives each train network's loss.

    Parameters
    ----------
    coder
        The auto-encoder.
    views
        Of the train networks: as they were aligned, then in other orders of their hidden units.
    settings
        Sizes and weights.
    seed
        Of windows, views and noise.
    """

    def __init__(self, coder: AutoEncoder, views: list[Sequences], settings: Settings, seed: int) -> None:
        super().__init__()
        self.coder = coder
        self.projector = nn.Sequential(
            nn.Linear(settings.code, settings.width), nn.SiLU(), nn.Linear(settings.width, settings.width)
        )
        self._views, self._settings = views, settings
        self._random = np.random.default_rng(seed)

    def forward(self, rows: Tensor) -> Tensor:
        """``[len(rows)]``; in eval mode with the same windows and noise every time."""
        settings, (aligned, *orders) = self._settings, self._views
        random = self._random if self.training else np.random.default_rng(0)
        reordered = orders[random.integers(len(orders))] if orders else aligned
        starts = random_starts(aligned.lengths[rows], settings.window, random)
        pair = [view.windows(rows, starts, settings.window) for view in (aligned, reordered)]
        both = Sequences(*(torch.cat(each) for each in zip(*pair, strict=True)))
        noise = normal(both.values, random) * both.mask
        noise[: len(rows)] = 0
        codes = self.coder.encode(both._replace(values=both.values + settings.noise * noise))
        spread = codes.detach()[both.present()].std(0)
        shaken = codes + settings.shake * spread * normal(codes, random)
        errors = (self.coder.decode(shaken, both) - both.values).square() * both.mask
        lost = (errors.sum((1, 2)) / both.mask.sum((1, 2))).reshape(2, -1).mean(0)
        here = both.present()[..., None]
        alike = nt_xent(self.projector((codes * here).sum(1) / here.sum(1)), settings.temperature)
        return lost + settings.contrast * alike


class Mean(Objective):
    """The mean of what a network puts out: of losses, which need no targets."""

    def __init__(self) -> None:
        pass

    def loss(self, outputs: Tensor, rows: Tensor) -> Tensor:
        """Their mean."""
        return outputs.mean()


def nt_xent(projected: Tensor, temperature: float) -> Tensor:
    """``[n]``: NT-Xent of ``[2n, columns]``, of which a row and the one n rows on are views of one network."""
    count = len(projected) // 2
    directions = nn.functional.normalize(projected, dim=1)
    similar = directions @ directions.T / temperature
    similar = similar.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=similar.device), -math.inf)
    partner = torch.arange(2 * count, device=similar.device).roll(count)
    return nn.functional.cross_entropy(similar, partner, reduction="none").reshape(2, count).mean(0)


def random_starts(lengths: Tensor, window: int, random: np.random.Generator) -> Tensor:
    """Where windows start: anywhere such that they are full, if they can be."""
    last = (lengths - window).clamp_min(0)
    share = torch.from_numpy(random.random(len(lengths))).to(lengths.device)
    return (share * (last + 1)).long().minimum(last)


def normal(like: Tensor, random: np.random.Generator) -> Tensor:
    """Standard normal numbers of a tensor's shape."""
    return torch.from_numpy(random.standard_normal(like.shape, np.float32)).to(like)


class Tuned(nn.Module):
    """The encoder with a linear read-out of its pooled codes.

    Parameters
    ----------
    coder, views, seed
        As for :class:`Pretext`.
    outputs
        Numbers to put out.
    """

    def __init__(self, coder: AutoEncoder, views: list[Sequences], outputs: int, seed: int) -> None:
        super().__init__()
        self.coder = coder
        pooled = 2 * QUARTERS * coder.settings.code
        self.read_out = nn.Sequential(nn.LayerNorm(pooled), nn.Dropout(0.3), nn.Linear(pooled, outputs))
        self._views, self._random = views, np.random.default_rng(seed)

    def forward(self, rows: Tensor) -> Tensor:
        """``[len(rows), outputs]``; in training from one of a network's views."""
        number = int(self._random.integers(len(self._views))) if self.training else 0
        view = self._views[number].at(rows)
        outputs: Tensor = self.read_out(pooled_codes(self.coder, view))
        return outputs


def all_windows(sequences: Sequences, length: int) -> tuple[Tensor, Tensor]:
    """Rows and starts of the windows that hold every token once."""
    counts = -(-sequences.lengths // length)
    rows = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    before = (counts.cumsum(0) - counts)[rows]
    return rows, (torch.arange(len(rows), device=counts.device) - before) * length


def pooled_codes(coder: AutoEncoder, sequences: Sequences) -> Tensor:
    """``[n, 2 × QUARTERS × code]``: mean and logarithmic spread of a network's codes in each quarter of its depth."""
    length, count = coder.settings.window, len(sequences.lengths)
    rows, starts = all_windows(sequences, length)
    windows = sequences.windows(rows, starts, length)
    present = windows.present()
    codes = coder.encode(windows)[present]
    groups = (rows[:, None] * QUARTERS + windows.quarter)[present]
    empty = codes.new_zeros(count * QUARTERS, codes.shape[1])
    sizes = torch.bincount(groups, minlength=len(empty)).to(codes)[:, None].clamp_min(1)
    mean = empty.index_add(0, groups, codes) / sizes
    variance = empty.index_add(0, groups, (codes - mean[groups]).square()) / sizes
    return torch.cat([mean, (variance + LEAST_SPREAD).log() / 2], 1).reshape(count, -1)


def described(coder: AutoEncoder, sequences: Sequences) -> Tensor:
    """The same without gradients, a few networks at a time."""
    with torch.no_grad():
        parts = [
            pooled_codes(coder, sequences.at(slice(first, first + TOGETHER)))
            for first in range(0, len(sequences.lengths), TOGETHER)
        ]
    return torch.cat(parts)


def encoded(coder: AutoEncoder, sequences: Sequences) -> Tensor:
    """``[n, length, code]`` of networks of one architecture."""
    length = coder.settings.window
    rows, starts = all_windows(sequences, length)
    parts = []
    with torch.no_grad():
        for chosen, first in zip(torch.split(rows, TOGETHER), torch.split(starts, TOGETHER), strict=True):
            windows = sequences.windows(chosen, first, length)
            parts.append(coder.encode(windows)[windows.present()])
    return torch.cat(parts).reshape(len(sequences.lengths), -1, coder.settings.code)


def decoded(coder: AutoEncoder, place: Sequences, codes: Tensor) -> Tensor:
    """``[n, length, size]`` tokens of networks of one architecture.

    Parameters
    ----------
    coder
        The auto-encoder.
    place
        One network of the architecture, whose tokens' places are looked at.
    codes
        ``[n, length, code]``.
    """
    length = coder.settings.window
    codes = codes.to(place.values)
    many = Sequences(*(each.expand(len(codes), *each.shape[1:]) for each in place))
    rows, starts = all_windows(many, length)
    parts = []
    with torch.no_grad():
        for chosen, first in zip(torch.split(rows, TOGETHER), torch.split(starts, TOGETHER), strict=True):
            windows = many.windows(chosen, first, length)
            index = (first[:, None] + torch.arange(length, device=first.device)).clamp_max(codes.shape[1] - 1)
            parts.append(coder.decode(codes[chosen[:, None], index], windows)[windows.present()])
    return torch.cat(parts).reshape(len(codes), -1, coder.settings.size)


def draw(
    codes: npt.NDArray[np.float64], count: int, bandwidth: float, random: np.random.Generator, *, whole: bool
) -> npt.NDArray[np.float64]:
    """Draw ``[count, length, code]`` from a Gaussian kernel density around codes of train networks, token by token.

    Kernels are drawn towards the mean by as much as they widen the density, so that codes spread no more than those
    of the train networks (Silverman and Young 1987, Biometrika 74, *The bootstrap: to smooth or not to smooth?*).

    Parameters
    ----------
    codes
        ``[n, length, code]``.
    bandwidth
        In units of each code number's standard deviation.
    whole
        Whether a network's tokens all come from the kernels of one train network, or each from that of any.
    """
    kernels = random.integers(len(codes), size=(count, 1 if whole else codes.shape[1]))
    centres = codes[kernels, np.arange(codes.shape[1])]
    mean, deviation = codes.mean(0), codes.std(0)
    noise = random.normal(size=centres.shape)  # one number for every number of every token: nothing is used twice
    drawn = mean + (centres - mean + bandwidth * deviation * noise) / math.sqrt(1 + bandwidth**2)
    return np.asarray(drawn)


class Probe:
    """Ridge or logistic regression on pooled codes, whose penalty is chosen on held-out cells.

    Parameters
    ----------
    codes
        ``[n, columns]`` of the train networks.
    target, context
        As ``fit`` gets them.

    Attributes
    ----------
    held_out
        What was predicted for each train network while its cell was held out; None where there is one cell or phase.
    """

    def __init__(self, codes: Tensor, target: npt.NDArray[Any], context: Context) -> None:
        self._classes = np.array(context.classes, dtype=object)
        self._scaler = StandardScaler().fit(codes.cpu().numpy())
        features = self._features(codes)
        labels = np.asarray(target) if context.classes else np.asarray(target, np.float64)
        self._seen = [name for name in context.classes if (labels == name).any()]
        self._range = (labels.min(), labels.max()) if not context.classes else (0.0, 0.0)
        found: dict[float, npt.NDArray[np.float64]] = {}
        folds = min(FOLDS, len(np.unique(context.groups)))
        if folds > 1 and len(self._seen) != 1:
            cells = GroupKFold(folds, shuffle=True, random_state=context.seed)
            for penalty in PENALTIES:
                parts = np.zeros((len(labels), len(self._classes)) if len(self._classes) else len(labels))
                for train_rows, test_rows in cells.split(features, groups=context.groups):
                    model = self._regression(features[train_rows], labels[train_rows], penalty)
                    parts[test_rows] = self._predictions(model, features[test_rows])
                found[penalty] = parts
        self.losses = {penalty: self.loss(parts, labels) for penalty, parts in found.items()}
        self.penalty = min(reversed(PENALTIES), key=lambda penalty: self.losses.get(penalty, 0.0))
        self.held_out = found.get(self.penalty)
        self._model = self._regression(features, labels, self.penalty)

    def __call__(self, codes: Tensor) -> npt.NDArray[np.float64]:
        """Probabilities ``[n, classes]``, or values ``[n]`` no farther out than any in training."""
        return self._predictions(self._model, self._features(codes))

    def _features(self, codes: Tensor) -> npt.NDArray[np.float64]:
        return np.asarray(self._scaler.transform(codes.cpu().numpy())).clip(-LARGEST, LARGEST)

    def _regression(self, features: npt.NDArray[np.float64], labels: npt.NDArray[Any], penalty: float) -> Any:
        """Fit; where there is one phase, it is the answer."""
        if len(self._classes):
            if len(set(labels)) == 1:
                return str(labels[0])
            return LogisticRegression(C=10 / (penalty * len(features)), class_weight="balanced", max_iter=300).fit(
                features, labels.astype(str)
            )
        return Ridge(alpha=penalty * len(features)).fit(features, labels)

    def _predictions(self, model: Any, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if not len(self._classes):
            return np.asarray(model.predict(features)).clip(*self._range)
        if isinstance(model, str):
            return np.tile((self._classes == model).astype(np.float64), (len(features), 1))
        found = np.zeros((len(features), len(self._classes)))
        columns = [int(np.flatnonzero(self._classes == name)[0]) for name in model.classes_]
        found[:, columns] = model.predict_proba(features)
        return found

    def loss(self, found: npt.NDArray[np.float64], labels: npt.NDArray[Any]) -> float:
        """Squared error, or log loss with phases of equal weight; summed over the networks."""
        if not len(self._classes):
            return float(np.square(found - labels).sum())
        share = {name: np.mean(labels == name) for name in set(labels)}
        of_truth = found[np.arange(len(labels)), [int(np.flatnonzero(self._classes == name)[0]) for name in labels]]
        weights = np.array([1 / share[name] for name in labels])
        return float(-(weights * np.log(np.maximum(of_truth, 1e-6))).sum() / len(share))
