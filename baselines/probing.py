"""Probing: learned inputs go through the networks themselves, and a small network reads what comes out.

A network is described by its answers to a few dozen inputs, the probes. They are learned together with a reader of
the answers: gradients flow through the frozen networks (Herrmann et al. 2024, *Learning useful representations of
recurrent neural network weight matrices*, arXiv 2403.11998; Kahana et al. 2024, *Deep linear probe generators for
weight space learning*, arXiv 2410.10811). As in the latter, probes are not free parameters: learned codes go through
a generator of linear maps alone. It can write no more than one linear map could, but gradient descent on a product
of maps prefers probes of a common structure, and in images neighbouring pixels hang together.

Once the probes are learned they stand still. The answers of all train models are computed once more, and several
readers are trained on them, each with held-out cells of its own; predictions are their mean.

Only functions are seen. Networks that differ by a symmetry of their weights get the same prediction, and what no
answer shows, such as a width, stays unknown.

* Networks of one architecture run together, stacked, in eval mode with their own batch-norm statistics.
* A network with several outputs is taken for a classifier, and answers with log-probabilities, none below
  ``LOWEST``. One output goes through asinh, because networks that diverged answer with enormous numbers.
* Weights and outputs beyond ±``LARGEST`` count as that, and what is not a number as 0.
* Where networks take inputs of several shapes, or give several numbers of outputs, each such form has a generator
  of its own; the reader sees the answers of a network's own form, and zeros for others. A network of a form that
  training did not show gets the same probability for every phase that training showed, or the train models' mean.
* Predictions are computed in double precision, so that they do not depend on which networks run together.

A step runs a batch of networks forward and backward on all probes: networks of millions of parameters want an
accelerator. Every setting is fixed; ``search/probing.md`` says which others were tried, inside train folds.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from neural_training import Objective, Schedule, train
from torch import Tensor, nn
from torch.func import functional_call, vmap

from wslbench import Models
from wslbench.architectures import Architecture
from wslbench.typing import Context
from wslbench.zoo import Stack

LARGEST: Final = 1e6
LOWEST: Final = -20.0
TOGETHER: Final = 64  # networks that run together where no gradient is wanted
CHANNELS: Final = 16  # of the half-size images that a generator makes probes of
READING: Final = Schedule(epochs=100, patience=25, batch=32, rate=1e-3, decay=0.1)


class Settings(NamedTuple):
    """How probes are made and learned, and how their answers are read.

    Attributes
    ----------
    probes
        Inputs that every network answers.
    codes
        Numbers in a probe's code.
    depth
        Dense linear maps in the generator.
    spread
        Standard deviation of the numbers in all probes before training.
    quickness
        How many times faster the generator learns than the reader. AdamW moves every parameter by as much a step,
        so parameters that are drawn smaller, and made up for by a fixed factor, change by more of their size.
    hidden
        Hidden units of a reader.
    dropout
        Share of them that is dropped in training.
    readers
        Readers that are trained once the probes are learned.
    schedule
        How the probes are learned.
    """

    probes: int = 32
    codes: int = 64
    depth: int = 2
    spread: float = 1.0
    quickness: float = 1.0
    hidden: int = 256
    dropout: float = 0.5
    readers: int = 5
    schedule: Schedule = Schedule(epochs=100, patience=25, batch=64, rate=1e-3, decay=0.1)


class Probing:
    """Learned inputs, made by a deep linear generator, go through every network; small networks read the answers.

    Attributes
    ----------
    history
        After ``fit``: the validation losses while probes were learned.
    parameters
        After ``fit``: how many numbers were fitted.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def supports(self, architecture: Architecture) -> str | None:
        """Why an architecture cannot be probed: inputs have to be numbers that gradients can change."""
        try:
            example = architecture.example_input(1)
        except AttributeError:
            return f"{architecture.builder} networks do not say which inputs they take, so there is nothing to learn"
        if not example.is_floating_point():
            return f"{architecture.builder} networks take tokens: probes are learned by gradients, which tokens lack"
        return None

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Learn probes, then train the readers; each training stops early on held-out cells."""
        self._objective = Objective(target, context)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            forms = sorted({form_of(stack.architecture) for stack in models.by_architecture()})
            self._probes = Probes(forms, self.settings).to(context.device)
            first = self._reader(self._probes.answers(models))
            joint = nn.Sequential(self._probes, first)

            def through_networks(rows: Tensor) -> Tensor:
                outputs: Tensor = joint(models[rows.cpu().numpy()])
                return outputs

            self.history = train(joint, through_networks, self._objective, context, self.settings.schedule)
            answers = self._probes.answers(models)
            self._readers = nn.ModuleList()
            for number in range(self.settings.readers):
                told = replace(context, seed=context.seed * self.settings.readers + number)
                self._readers.append(self._trained_reader(answers, told))
        fitted = nn.ModuleList([self._probes, self._readers]).double()
        self.parameters = sum(parameter.numel() for parameter in fitted.parameters())

    def predict(self, models: Models) -> npt.NDArray[np.float64]:
        """Probabilities ``[n, classes]``, or values ``[n]``: the readers' mean."""
        answers = self._probes.answers(models)
        with torch.no_grad():
            each = [self._objective.predictions(reader(answers)) for reader in self._readers]
        return np.asarray(np.mean(each, axis=0))

    def _reader(self, answers: Tensor) -> Reader:
        return Reader(answers, self._objective.outputs, self.settings).to(answers.device)

    def _trained_reader(self, answers: Tensor, context: Context) -> Reader:
        reader = self._reader(answers)

        def read(rows: Tensor) -> Tensor:
            outputs: Tensor = reader(answers[rows])
            return outputs

        train(reader, read, self._objective, context, READING)
        return reader


class Form(NamedTuple):
    """What a network takes and gives: ``shape`` of one input, and how many numbers come out for it."""

    shape: tuple[int, ...]
    outputs: int


class Probes(nn.Module):
    """A generator for each form of networks, and the networks' answers to what it generates.

    Parameters
    ----------
    forms
        The forms that training shows.
    settings
        Sizes.
    """

    def __init__(self, forms: list[Form], settings: Settings) -> None:
        super().__init__()
        self._forms = forms
        self.generators = nn.ModuleList([Generator(form.shape, settings) for form in forms])
        self._ends = np.cumsum([settings.probes * form.outputs for form in forms])

    def forward(self, models: Models) -> Tensor:
        """``[n, columns]`` answers: NaN in the columns of forms that a network is not of."""
        example = next(self.parameters())
        answers = example.new_full((len(models), int(self._ends[-1])), math.nan)
        probes = [generator() for generator in self.generators]
        for stack in models.by_architecture():
            form = form_of(stack.architecture)
            if form in self._forms:
                number = self._forms.index(form)
                told = answer(stack, probes[number]).flatten(1)
                rows = torch.from_numpy(stack.positions).to(example.device)[:, None]
                answers[rows, torch.arange(self._ends[number] - told.shape[1], self._ends[number])] = told
        return answers

    def answers(self, models: Models) -> Tensor:
        """The same without gradients, a few networks at a time."""
        with torch.no_grad():
            parts = [self(models[first : first + TOGETHER]) for first in range(0, len(models), TOGETHER)]
            return torch.cat(parts or [self(models)])


class Generator(nn.Module):
    """Learned codes through linear maps alone.

    Probes of a shape ``[channels, height, width]`` are images: dense maps make images of half the size, which are
    interpolated, and mixed by a convolution.

    Parameters
    ----------
    shape
        Shape of one probe.
    settings
        How many probes, how many numbers a code, how many dense maps.
    """

    scale: Tensor

    def __init__(self, shape: tuple[int, ...], settings: Settings) -> None:
        super().__init__()
        half = (CHANNELS, *(math.ceil(size / 2) for size in shape[1:])) if len(shape) == 3 else shape
        sizes = [settings.codes] * settings.depth + [math.prod(half)]
        # Without biases: they would be common to all probes, which then hardly differ at first.
        maps: list[nn.Module] = [nn.Linear(size, following, bias=False) for size, following in pairwise(sizes)]
        maps.append(nn.Unflatten(1, half))
        if len(shape) == 3:
            maps += [
                nn.Upsample(size=shape[1:], mode="bilinear"),
                nn.Conv2d(CHANNELS, shape[0], 3, padding=1, bias=False),
            ]
        self.codes = nn.Parameter(torch.randn(settings.probes, settings.codes))
        self.maps = nn.Sequential(*maps)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.div_(settings.quickness)
            self.register_buffer("scale", settings.spread / self.maps(self.codes).std())

    def forward(self) -> Tensor:
        """``[probes, *shape]``."""
        made: Tensor = self.scale * self.maps(self.codes)
        return made


class Reader(nn.Module):
    """A small network from answers to what is predicted.

    Parameters
    ----------
    answers
        ``[n, columns]`` answers of the train models, which the reader is going to standardise by.
    predicted
        Numbers to predict for every network.
    settings
        Sizes.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, answers: Tensor, predicted: int, settings: Settings) -> None:
        super().__init__()
        mean = answers.nanmean(0)
        deviation = (answers - mean).square().nanmean(0).sqrt()
        self.register_buffer("mean", mean)
        # Columns that hardly differ among networks are not blown up to the size of the others.
        self.register_buffer("deviation", deviation + 0.1 * deviation.mean() + 1e-6)
        self.layers = nn.Sequential(
            nn.Linear(answers.shape[1], settings.hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, predicted),
        )

    def forward(self, answers: Tensor) -> Tensor:
        """``[n, predicted]``; zeros, which stand for no opinion, where all answers are NaN."""
        known = ~answers.isnan().all(1, keepdim=True)
        outputs: Tensor = self.layers(((answers - self.mean) / self.deviation).nan_to_num(0.0))
        return outputs * known


def answer(stack: Stack, probes: Tensor) -> Tensor:
    """``[models, probes, outputs]``: what each network says to each probe, comparable between networks.

    A gradient that is not finite, as it may come out of a network with enormous weights, is left out.
    """
    network, _ = skeleton(stack.architecture.model_dump_json())
    network.to(probes)
    weights = {name: bounded(torch.tensor(stack[name]).to(probes)) for name in stack.keys()}  # noqa: SIM118
    seen = probes.view_as(probes)
    if seen.requires_grad:
        seen.register_hook(lambda gradient: gradient.nan_to_num(0.0, 0.0, 0.0))  # type: ignore[no-untyped-call]
    run = vmap(lambda each, inputs: functional_call(network, each, (inputs,)).flatten(1), in_dims=(0, None))
    outputs = bounded(run(weights, seen))
    return outputs.log_softmax(2).clamp(min=LOWEST) if outputs.shape[2] > 1 else outputs.asinh()


def bounded(values: Tensor) -> Tensor:
    """The same numbers within ±``LARGEST``, and 0 for what is none."""
    return values.nan_to_num(0.0).clamp(-LARGEST, LARGEST)


def form_of(architecture: Architecture) -> Form:
    """The form of an architecture's networks."""
    return skeleton(architecture.model_dump_json())[1]


@lru_cache(maxsize=1024)
def skeleton(described: str) -> tuple[nn.Module, Form]:
    """A network to put weights into, frozen and in eval mode, and its form; built once an architecture."""
    architecture = Architecture.model_validate_json(described)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = architecture.module().eval().requires_grad_(False)
        example = architecture.example_input(1)
        return network, Form(tuple(example.shape[1:]), network(example).numel())
