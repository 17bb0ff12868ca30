"""Activations, counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from wslbench.architectures import Architecture
from wslbench.training.activations import activations, count_activations


def test_a_perceptron_by_hand() -> None:
    described = Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [5, 4], "out_features": 2})
    # Two hidden layers, each with what its activation function makes of it, and the outputs.
    assert activations(described, torch.zeros(1, 3)) == 2 * (5 + 4) + 2
    assert activations(described, torch.zeros(7, 3, device="meta")) == 7 * (2 * (5 + 4) + 2)


def test_a_convolution_by_hand_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    assert count_activations(network, torch.zeros(1, 1, 4, 4)) == 48 + 48 + 12 + 12 + 2
    assert not any(module._forward_hooks for module in network.modules())
