"""Language modelling: next-token cross-entropy on windows of text; CKA on logits at held-out positions."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from wslbench.datasets import TextDataset
from wslbench.errors import DatasetError
from wslbench.training.objectives._objective import (
    Batch,
    CleanBatch,
    DrawnSamples,
    FloatArray,
    Network,
    Side,
    Values,
    unmixed_rows,
)
from wslbench.training.stack import ModelStack, evaluation_forward, layer_output_forward

EVALUATED_WINDOWS = 2048
"""Windows of a text, evenly spaced, that losses are measured on at most."""

REPRESENTED_POSITIONS = 2048
"""Held-out positions whose logits CKA compares."""

_WINDOWS_PER_PASS = 16


class Language:
    """A text cut into windows of ``context`` tokens, each predicting the token after it.

    Parameters
    ----------
    data
        Train and test tokens.
    context
        Tokens a window.

    Raises
    ------
    DatasetError
        If a text is shorter than one window and a token.
    """

    measured: tuple[str, ...] = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")

    def __init__(self, data: TextDataset, context: int) -> None:
        self.data, self.context = data, context
        self._train, self._test = _Windows.of(data.train_tokens, context), _Windows.of(data.test_tokens, context)
        for name, windows in (("train", self._train), ("test", self._test)):
            if windows.number < 1:
                raise DatasetError(f"{data.name}: the {name} text is shorter than a window of {context} tokens")
        self.train_size, self.test_size = self._train.number, self._test.number
        self._commonest = float(np.bincount(data.train_tokens).max() / len(data.train_tokens))

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        return self

    def to(self, device: torch.device) -> Self:
        moved = copy.copy(self)
        moved._train, moved._test = self._train.to(device), self._test.to(device)
        return moved

    def inputs_each(self, batch_size: int) -> int:
        return batch_size * self.context

    def draw(self, index: NDArray[np.int64], generators: Sequence[np.random.Generator]) -> Batch:
        return self._train.at(index)

    def loss(self, network: Network, *batch: Tensor) -> Tensor:
        tokens, following = batch
        return cross_entropy(network(tokens).flatten(0, 1), following.flatten())

    def clean(self, rows: NDArray[np.int64], side: Side = "train") -> CleanBatch:
        return CleanBatch(self._side(side).at(rows), (None, None), self.inputs_each(len(rows)))

    def clean_inputs(self, batch_size: int) -> Iterable[Tensor]:
        spaced = self._train.spaced(EVALUATED_WINDOWS)
        return (self._train.at(rows)[0] for rows in np.array_split(spaced, -(-len(spaced) // batch_size)))

    def measure(self, stack: ModelStack) -> dict[str, FloatArray]:
        train, test = _performance(stack, self._train), _performance(stack, self._test)
        return {
            "train_loss": train.loss,
            "train_accuracy": 1 - train.error / 100,
            "test_loss": test.loss,
            "test_accuracy": 1 - test.error / 100,
        }

    def error_of(self, measured: Mapping[str, FloatArray]) -> FloatArray:
        return 100 * (1 - np.asarray(measured["train_accuracy"], dtype=np.float64))

    def values(self, stack: ModelStack, side: Side = "train") -> Values:
        """Per cent of next tokens missed, and the loss, over evenly spaced windows of the text."""
        return _performance(stack, self._side(side))

    @torch.no_grad()
    def representation(
        self, stack: ModelStack, layer: str | None = None, side: Side = "test", drawn: DrawnSamples | None = None
    ) -> Tensor:
        """Logits ``[size, positions, vocabulary]``, or a layer's output, at evenly spaced positions of the text.

        Drawn samples are windows, each with its last position.
        """
        text = self._side(side)
        if drawn is not None:
            rows = unmixed_rows(drawn, "texts")
            forward = layer_output_forward(stack.architecture, layer, _WINDOWS_PER_PASS * self.context)
            some = np.array_split(rows, -(-len(rows) // _WINDOWS_PER_PASS))
            return torch.cat(
                [forward(stack.parameters, stack.statistics, text.at(r)[0])[:, :, -1] for r in some], dim=1
            )
        windows = text.spaced(EVALUATED_WINDOWS)
        stride = max(1, len(windows) * self.context // REPRESENTED_POSITIONS)
        forward = layer_output_forward(stack.architecture, layer, _WINDOWS_PER_PASS * self.context)
        parts, first = [], 0
        for rows in np.array_split(windows, -(-len(windows) // _WINDOWS_PER_PASS)):
            features = forward(stack.parameters, stack.statistics, text.at(rows)[0]).flatten(1, 2)
            parts.append(features[:, (-first) % stride :: stride])
            first += features.shape[1]
        return torch.cat(parts, dim=1)

    def _side(self, side: Side) -> _Windows:
        return self._train if side == "train" else self._test

    def dead(self, measured: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
        """Networks that guess the next token no better than always naming the commonest one."""
        return np.asarray(measured["train_accuracy"] <= self._commonest)


class _Windows(NamedTuple):
    tokens: Tensor
    context: int
    number: int

    @classmethod
    def of(cls, tokens: NDArray[np.generic], context: int) -> _Windows:
        # int32 holds every vocabulary at half the memory of the int64 that embeddings want.
        return cls(torch.from_numpy(tokens.astype(np.int32)), context, (len(tokens) - 1) // context)

    def to(self, device: torch.device) -> _Windows:
        return self._replace(tokens=self.tokens.to(device))

    def at(self, index: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Tokens and the tokens after them, ``[*index.shape, context]``."""
        places = index[..., None] * self.context + np.arange(self.context + 1)
        tokens = self.tokens[torch.from_numpy(places).to(self.tokens.device)].long()
        return tokens[..., :-1], tokens[..., 1:]

    def spaced(self, most: int) -> NDArray[np.int64]:
        return np.unique(np.linspace(0, self.number - 1, min(self.number, most)).astype(np.int64))


@torch.no_grad()
def _performance(stack: ModelStack, windows: _Windows) -> Values:
    chosen = windows.spaced(EVALUATED_WINDOWS)
    forward = evaluation_forward(stack.architecture, _WINDOWS_PER_PASS * windows.context)
    loss = torch.zeros(stack.size, dtype=torch.float64)
    correct = torch.zeros(stack.size, dtype=torch.float64)
    for rows in np.array_split(chosen, -(-len(chosen) // _WINDOWS_PER_PASS)):
        tokens, following = windows.at(rows)
        logits = forward(stack.parameters, stack.statistics, tokens)
        log_probability = logits.double().log_softmax(-1)
        picked = log_probability.gather(-1, following.expand(logits.shape[:-1]).unsqueeze(-1)).squeeze(-1)
        loss -= picked.flatten(1).sum(1).cpu()
        correct += (logits.argmax(-1) == following).flatten(1).sum(1).double().cpu()
    tokens_seen = len(chosen) * windows.context
    return Values(100 * (1 - (correct / tokens_seen).numpy()), (loss / tokens_seen).numpy())
