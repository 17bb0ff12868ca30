"""The activation functions that builders know, by the names that published zoos use."""

from __future__ import annotations

from torch import nn

from wslbench.architectures._checks import one_of

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "leakyrelu": nn.LeakyReLU,
    "silu": nn.SiLU,
}


def activation_layer(name: str) -> nn.Module:
    """The activation of that name; ``ValueError`` if there is none."""
    one_of("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
