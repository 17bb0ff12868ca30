"""One small network a builder or variant, and inputs for it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from wslbench.architectures import Architecture


def architecture(builder: str, **arguments: Any) -> Architecture:
    return Architecture(builder=builder, arguments=arguments)


class Case(NamedTuple):
    """A small network and the shape of one of its inputs; ``tokens`` is the vocabulary of a language model."""

    architecture: Architecture
    input_shape: tuple[int, ...]
    tokens: int | None = None

    def inputs(self, batch: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, *self.input_shape)
        if self.tokens:
            return torch.randint(0, self.tokens, shape, generator=generator)
        return torch.randn(shape, generator=generator, dtype=torch.float64)


CASES = {
    "cnn": Case(architecture("cnn", width=2), (1, 8, 8)),
    "cnn_modelzoo 28": Case(architecture("cnn_modelzoo", image_size=28), (1, 28, 28)),
    "cnn_modelzoo 32": Case(architecture("cnn_modelzoo", image_size=32, in_channels=3, dropout=0.0), (3, 32, 32)),
    "gpt": Case(architecture("gpt", dim=8, depth=2, heads=2, context=6, vocabulary=11), (5,), 11),
    "mlp": Case(architecture("mlp", in_features=2, hidden=[5, 4], out_features=1, initialisation="xavier"), (2,)),
    "resnet18": Case(architecture("resnet18", width=2), (3, 16, 16)),
    "resnet50": Case(architecture("resnet50", width=1, in_channels=1, classes=3), (1, 16, 16)),
    "vit": Case(architecture("vit", dim=8, depth=2, heads=2, image_size=8, patch_size=4), (3, 8, 8)),
}
