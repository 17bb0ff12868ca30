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
from wslbench.training.measure import EVALUATION_BATCH, performance_in_batches
from wslbench.training.objectives._objective import Batch, CleanBatch, FloatArray, Network, TrainValues
from wslbench.training.stack import ModelStack, evaluation_forward

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
        self.train_size = len(self.train_labels)

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

    def clean(self, rows: NDArray[np.int64]) -> CleanBatch:
        labels = self.train_labels[torch.from_numpy(rows).to(self.train_labels.device)]
        return CleanBatch((self.train_images.clean(rows), labels), (None, None), len(rows))

    def clean_inputs(self, batch_size: int) -> Iterable[Tensor]:
        return _batches(self.train_images, self.train_size, batch_size)

    def measure(self, stack: ModelStack) -> dict[str, FloatArray]:
        train = performance_in_batches(stack, self.clean_inputs(EVALUATION_BATCH), self.train_labels)
        test_inputs = _batches(self.test_images, len(self.test_labels), EVALUATION_BATCH)
        test = performance_in_batches(stack, test_inputs, self.test_labels)
        return {
            "train_loss": train.loss.numpy(),
            "train_accuracy": train.accuracy.numpy(),
            "test_loss": test.loss.numpy(),
            "test_accuracy": test.accuracy.numpy(),
        }

    def error_of(self, measured: Mapping[str, FloatArray]) -> FloatArray:
        return 100 * (1 - np.asarray(measured["train_accuracy"], dtype=np.float64))

    def train_values(self, stack: ModelStack) -> TrainValues:
        train = performance_in_batches(stack, self.clean_inputs(EVALUATION_BATCH), self.train_labels)
        return TrainValues(100 * (1 - train.accuracy.numpy()), train.loss.numpy())

    @torch.no_grad()
    def representation(self, stack: ModelStack) -> Tensor:
        forward = evaluation_forward(stack.architecture, EVALUATION_BATCH)
        count = min(len(self.test_labels), REPRESENTED_SAMPLES)
        batches = _batches(self.test_images, count, EVALUATION_BATCH)
        return torch.cat([forward(stack.parameters, stack.statistics, batch) for batch in batches], dim=1)

    def dead(self, measured: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
        return np.asarray(measured["train_accuracy"] < DEAD_FACTOR / self.classes)


def _batches(images: AugmentedImages, count: int, batch_size: int) -> Iterable[Tensor]:
    return (images.clean(slice(start, min(start + batch_size, count))) for start in range(0, count, batch_size))
