"""Classification of images: cross-entropy, accuracy; CKA on the logits of the held-out images."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from wslbench.training.augmentation import Augmentation, AugmentedImages
from wslbench.training.measure import EVALUATION_BATCH, Performance, performance_in_batches
from wslbench.training.objectives._objective import Batch, CleanBatch, DrawnSamples, FloatArray, Network, Side, Values
from wslbench.training.stack import ModelStack, layer_output_forward

DEAD_FACTOR = 2.0
"""A network below this many times chance accuracy on the train set is dead."""

REPRESENTED_SAMPLES = 10_000
"""Held-out samples that CKA is computed on at most; the published sets have no more."""


class Classification:
    """Images with labels.

    Parameters
    ----------
    train_inputs, test_inputs
        ``[n, channels, height, width]``: float32 and ready, or uint8, which ``mean`` and ``std`` normalise.
    train_labels, test_labels
        int64 ``[n]``.
    classes
        Number of classes.
    augmentation
        Of train images; curves see the same.
    mean, std
        A channel, on the scale from 0 to 1.
    """

    measured: tuple[str, ...] = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")

    def __init__(
        self,
        train_inputs: Tensor,
        train_labels: Tensor,
        test_inputs: Tensor,
        test_labels: Tensor,
        classes: int,
        augmentation: Augmentation | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        self.augmentation = augmentation or Augmentation()
        self.normalisation = (mean, std)
        self.train_labels, self.test_labels, self.classes = train_labels, test_labels, classes
        self._train_inputs, self._test_inputs = train_inputs, test_inputs
        self._prepare()

    def _prepare(self) -> None:
        self.train_images = AugmentedImages(self._train_inputs, self.augmentation, *self.normalisation)
        self.test_images = AugmentedImages(self._test_inputs, Augmentation(), *self.normalisation)
        self.train_size, self.test_size = len(self.train_labels), len(self.test_labels)

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        return self

    def to(self, device: torch.device) -> Self:
        moved = copy.copy(self)
        moved._train_inputs, moved._test_inputs = self._train_inputs.to(device), self._test_inputs.to(device)
        moved.train_labels, moved.test_labels = self.train_labels.to(device), self.test_labels.to(device)
        moved._prepare()
        return moved

    def inputs_each(self, batch_size: int) -> int:
        return batch_size

    def draw(self, index: NDArray[np.int64], generators: Sequence[np.random.Generator]) -> Batch:
        images = self.train_images.batch(index, list(generators))
        return images, self.train_labels[torch.from_numpy(index).to(self.train_labels.device)]

    def loss(self, network: Network, *batch: Tensor) -> Tensor:
        images, labels = batch
        return cross_entropy(network(images), labels)

    def clean(self, rows: NDArray[np.int64], side: Side = "train") -> CleanBatch:
        images, labels = self._side(side)
        chosen = labels[torch.from_numpy(rows).to(labels.device)]
        return CleanBatch((images.clean(rows), chosen), (None, None), len(rows))

    def clean_inputs(self, batch_size: int) -> Iterable[Tensor]:
        return _batches(self.train_images, self.train_size, batch_size)

    def measure(self, stack: ModelStack) -> dict[str, FloatArray]:
        train, test = self._performance(stack, "train"), self._performance(stack, "test")
        return {
            "train_loss": train.loss.numpy(),
            "train_accuracy": train.accuracy.numpy(),
            "test_loss": test.loss.numpy(),
            "test_accuracy": test.accuracy.numpy(),
        }

    def error_of(self, measured: Mapping[str, FloatArray]) -> FloatArray:
        return 100 * (1 - np.asarray(measured["train_accuracy"], dtype=np.float64))

    def values(self, stack: ModelStack, side: Side = "train") -> Values:
        reached = self._performance(stack, side)
        return Values(100 * (1 - reached.accuracy.numpy()), reached.loss.numpy())

    @torch.no_grad()
    def representation(
        self, stack: ModelStack, layer: str | None = None, side: Side = "test", drawn: DrawnSamples | None = None
    ) -> Tensor:
        forward = layer_output_forward(stack.architecture, layer, EVALUATION_BATCH)
        images, labels = self._side(side)
        if drawn is None:
            batches = _batches(images, min(len(labels), REPRESENTED_SAMPLES), EVALUATION_BATCH)
        else:
            batches = _drawn(images, drawn, EVALUATION_BATCH)
        outputs = [forward(stack.parameters, stack.statistics, batch) for batch in batches]
        return torch.cat(outputs, dim=1).flatten(2)

    def _side(self, side: Side) -> tuple[AugmentedImages, Tensor]:
        return (self.train_images, self.train_labels) if side == "train" else (self.test_images, self.test_labels)

    def _performance(self, stack: ModelStack, side: Side) -> Performance:
        images, labels = self._side(side)
        return performance_in_batches(stack, _batches(images, len(labels), EVALUATION_BATCH), labels)

    def dead(self, measured: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
        return np.asarray(measured["train_accuracy"] < DEAD_FACTOR / self.classes)


def _batches(images: AugmentedImages, count: int, batch_size: int) -> Iterable[Tensor]:
    return (images.clean(slice(start, min(start + batch_size, count))) for start in range(0, count, batch_size))


def _drawn(images: AugmentedImages, drawn: DrawnSamples, batch_size: int) -> Iterable[Tensor]:
    for start in range(0, len(drawn.rows), batch_size):
        some = slice(start, start + batch_size)
        batch = images.clean(drawn.rows[some])
        if drawn.partners is not None and drawn.weights is not None:
            own = torch.from_numpy(drawn.weights[some]).to(batch)[:, None, None, None]
            batch = own * batch + (1 - own) * images.clean(drawn.partners[some])
        yield batch
