"""Hyper-representation: a sequential auto-encoder over weight tokens, read by a linear probe, sampled to make networks.

After SANE (Schürholt, Mahoney and Borth 2024, *Towards scalable and versatile weight space learning*, arXiv
2406.09997). Every network is a sequence of tokens, none of which holds numbers of two units
(:func:`wslbench.encodings.tokens`); a transformer encodes short windows of it, token by token, and another one decodes
them. Both are told a token's place in the network, its layer, and its place in the layer.

* Networks are aligned, and numbers are made comparable, before they are read: see ``token_sequences``.
* Training sees every window twice: as it was aligned, and, of the same network, in a random order of its hidden units,
  with noise. Both have to be reconstructed; their codes have to be more alike than those of two networks (NT-Xent,
  Chen et al. 2020, arXiv 2002.05709).
* Predictions: the mean and the logarithmic spread of the codes over each quarter of the depth, and a ridge or logistic
  regression on them, with a penalty chosen on held-out cells: the linear probe. A copy of the encoder is trained on
  with the target, under a linear read-out of the same numbers: fine-tuning. The answer is the mean of both.
* Generation: a kernel density over the codes of the train networks of the wanted phase. Every token of every network
  has a noise draw of its own; the published code uses one draw for all the tokens of a network. The tokens of a new
  network stand around those of one train network.

Weights of small networks hardly compress, and a network whose weights are a little off is soon a bad one, so codes are
as long as tokens. What the decoder can learn beyond copying is to undo noise, on codes and on what is encoded.
Predictions are computed in float64, so that they do not depend on company. How the settings were chosen, inside train
folds and train seeds, is in ``search/hyper_representation.md``.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from neural_training import Objective, Schedule, train
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from token_sequences import LARGEST, PLACES, QUARTERS, Reader, Sequences
from torch import Tensor, nn

from wslbench import Models, symmetry
from wslbench.architectures import Architecture
from wslbench.errors import ArchitectureError
from wslbench.typing import Context

LEAST_SPREAD: Final = 1e-6  # of codes, squared
WAVES: Final = tuple(math.pi / 2 * 4.0**-power for power in range(5))
TOGETHER: Final = 256  # windows that are encoded at once where no gradient is wanted
PENALTIES: Final = (1e-2, 1e-1, 1.0, 10.0, 100.0)  # a train network
FOLDS: Final = 3

Answer = Callable[[Tensor], npt.NDArray[np.float64]]  # from pooled codes to predictions


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
        Epochs of training with the target; 0: the linear probe alone.
    bandwidth
        Of the kernel density, in units of each code number's standard deviation among the networks of the phase.
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
    fine_tuning: int = 40
    bandwidth: float = 0.2
    schedule: Schedule = Schedule(epochs=10, patience=10, batch=32, rate=2e-3, decay=0.01)


class HyperRepresentation:
    """Auto-encoder over weight tokens (SANE): a linear probe reads its codes, their kernel density makes networks.

    Attributes
    ----------
    history
        After ``fit``: the auto-encoder's loss on held-out cells, epoch by epoch, and which epoch was kept.
    parameters
        After ``fit``: numbers of the auto-encoder.
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
        """Train the auto-encoder; then fit what predicts, or keep the codes of the phase that will be asked for."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            started, self._device = time.monotonic(), context.device
            self._reader = Reader(models, target, context, self.settings.size)
            seeds = np.random.SeedSequence(context.seed).generate_state(self.settings.variants)
            orders = [symmetry.disguise(self._reader.train, int(seed), scaling=False) for seed in seeds]
            views = [self._reader.read(each).to(context.device) for each in (self._reader.train, *orders)]
            self._coder = AutoEncoder(self.settings).to(context.device)
            self.parameters = sum(parameter.numel() for parameter in self._coder.parameters())
            told = replace(context, deadline=started + (context.deadline - started) / 2)
            if context.target_phase is not None:  # few cells, and each has to be learned: other seeds are held out
                told = replace(context, groups=np.arange(len(models)))
            pretext = Pretext(self._coder, views, self.settings, context.seed).to(context.device)
            self.history = train(pretext, pretext, Mean(), told, self.settings.schedule)
            if context.target_phase is not None:
                self._keep(target, context.target_phase)
                return
            frozen = copy.deepcopy(self._coder).double()
            self._readings: list[tuple[AutoEncoder, Answer]] = [
                (frozen, probe(described(frozen, views[0].double()), target, context))
            ]
            if self.settings.fine_tuning:
                self._readings.append((self._coder, self._tuned(views, target, context)))

    def predict(self, models: Models) -> npt.NDArray[np.float64]:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        sequences = self._reader.read(self._reader.aligned(models)).to(self._device).double()
        answers = [answer(described(coder, sequences)) for coder, answer in self._readings]
        return np.asarray(np.mean(answers, axis=0))

    def generate(self, count: int, context: Context) -> dict[str, Tensor]:
        """``[count, *shape]`` tensors of new networks: codes are drawn token by token, and decoded."""
        random = np.random.default_rng(context.seed)
        drawn = torch.from_numpy(draw(self._codes, count, self.settings.bandwidth, random)).to(self._device)
        values = decoded(self._coder, self._place, drawn).cpu().numpy()
        tensors = self._reader.written(values, self._architecture)
        return {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}

    def _keep(self, target: npt.NDArray[Any], phase: str) -> None:
        """Keep the codes of the train networks of a phase; where several architectures show it, of the commonest.

        Raises
        ------
        ValueError
            If no train network shows it.
        """
        chosen = self._reader.train[np.flatnonzero(np.asarray(target) == phase)]
        if not len(chosen):
            raise ValueError(f"there is no train network of phase {phase}")
        stack = max(chosen.by_architecture(), key=len)
        self._architecture = stack.architecture
        sequences = self._reader.read(chosen[stack.positions]).to(self._device).double()
        self._codes = encoded(self._coder.double(), sequences).cpu().numpy()
        self._place = sequences.at(slice(1))

    def _tuned(self, views: list[Sequences], target: npt.NDArray[Any], context: Context) -> Answer:
        """Train the encoder on with a linear read-out; the read-out and what it means."""
        objective, schedule = Objective(target, context), self.settings.schedule
        tuned = Tuned(self._coder, views, objective.outputs, context.seed).to(context.device)
        schedule = schedule._replace(epochs=self.settings.fine_tuning, rate=schedule.rate / 4)
        train(tuned, tuned, objective, context, schedule)
        tuned.double()
        return lambda codes: objective.predictions(tuned.read_out(codes))


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


def pooled_codes(coder: AutoEncoder, sequences: Sequences) -> Tensor:
    """``[n, 2 × QUARTERS × code]``: mean and logarithmic spread of a network's codes in each quarter of its depth."""
    rows, windows = sequences.all_windows(coder.settings.window)
    present = windows.present()
    codes = coder.encode(windows)[present]
    groups = (rows[:, None] * QUARTERS + windows.quarter)[present]
    empty = codes.new_zeros(len(sequences.lengths) * QUARTERS, codes.shape[1])
    sizes = torch.bincount(groups, minlength=len(empty)).to(codes)[:, None].clamp_min(1)
    mean = empty.index_add(0, groups, codes) / sizes
    variance = empty.index_add(0, groups, (codes - mean[groups]).square()) / sizes
    return torch.cat([mean, (variance + LEAST_SPREAD).log() / 2], 1).reshape(len(sequences.lengths), -1)


@torch.no_grad()
def described(coder: AutoEncoder, sequences: Sequences) -> Tensor:
    """The same without gradients, a few networks at a time."""
    parts = range(0, len(sequences.lengths), TOGETHER)
    return torch.cat([pooled_codes(coder, sequences.at(slice(first, first + TOGETHER))) for first in parts])


@torch.no_grad()
def encoded(coder: AutoEncoder, sequences: Sequences) -> Tensor:
    """``[n, length, code]`` of networks of one architecture."""
    _, windows = sequences.all_windows(coder.settings.window)
    parts = range(0, len(windows.lengths), TOGETHER)
    codes = torch.cat([coder.encode(windows.at(slice(first, first + TOGETHER))) for first in parts])
    return codes[windows.present()].reshape(len(sequences.lengths), -1, coder.settings.code)


@torch.no_grad()
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
    many = Sequences(*(each.expand(len(codes), *each.shape[1:]) for each in place))
    _, windows = many._replace(values=codes).all_windows(coder.settings.window)
    parts = [windows.at(slice(first, first + TOGETHER)) for first in range(0, len(windows.lengths), TOGETHER)]
    values = torch.cat([coder.decode(part.values, part) for part in parts])
    return values[windows.present()].reshape(len(codes), -1, coder.settings.size)


def draw(
    codes: npt.NDArray[np.float64], count: int, bandwidth: float, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw ``[count, length, code]`` from a Gaussian kernel density around codes of train networks.

    Kernels are drawn towards the mean by as much as they widen the density, so that codes spread no more than those
    of the train networks (Silverman and Young 1987, Biometrika 74, *The bootstrap: to smooth or not to smooth?*).

    Parameters
    ----------
    codes
        ``[n, length, code]``.
    bandwidth
        In units of each code number's standard deviation.
    """
    centres = codes[random.integers(len(codes), size=count)]
    mean, deviation = codes.mean(0), codes.std(0)
    noise = random.normal(size=centres.shape)  # one number for every number of every token: nothing is used twice
    drawn = mean + (centres - mean + bandwidth * deviation * noise) / math.sqrt(1 + bandwidth**2)
    return np.asarray(drawn)


def probe(codes: Tensor, target: npt.NDArray[Any], context: Context) -> Answer:
    """Ridge or logistic regression on pooled codes ``[n, columns]``, with the penalty that does best on held-out cells.

    Values are predicted no farther out than any in training.
    """
    features, classes = codes.cpu().numpy(), np.array(context.classes, dtype=object)
    labels = np.asarray(target).astype(str) if len(classes) else np.asarray(target, np.float64)
    if len(set(labels)) == 1:  # there is nothing to learn
        only = labels[0] if not len(classes) else (classes == labels[0]).astype(np.float64)
        return lambda codes: np.repeat(np.asarray(only)[None], len(codes), axis=0)
    last: Any = Ridge() if not len(classes) else LogisticRegression(class_weight="balanced", max_iter=200)
    name, factors = ("C", 10 / np.array(PENALTIES)) if len(classes) else ("alpha", np.array(PENALTIES))
    strengths = factors / len(labels) if len(classes) else factors * len(labels)
    cut = FunctionTransformer(np.clip, kw_args={"a_min": -LARGEST, "a_max": LARGEST})
    model: Any = make_pipeline(StandardScaler(), cut, last)
    folds = min(FOLDS, len(np.unique(context.groups)))
    if folds > 1:
        kind = StratifiedGroupKFold if len(classes) else GroupKFold
        cells = kind(folds, shuffle=True, random_state=context.seed)
        wanted = "balanced_accuracy" if len(classes) else "neg_mean_squared_error"
        model = GridSearchCV(model, {f"{type(last).__name__.lower()}__{name}": strengths}, scoring=wanted, cv=cells)
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # a held-out fold may lack a phase
            model.fit(features, labels, groups=context.groups)
    else:
        model.fit(features, labels)

    def answer(codes: Tensor) -> npt.NDArray[np.float64]:
        seen = codes.cpu().numpy()
        if not len(classes):
            return np.asarray(model.predict(seen)).clip(labels.min(), labels.max())
        found = np.zeros((len(seen), len(classes)))
        found[:, [int(np.flatnonzero(classes == each)[0]) for each in model.classes_]] = model.predict_proba(seen)
        return found

    return answer
