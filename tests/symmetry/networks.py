"""Small networks whose symmetries are tested, and their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tests.architectures.cases import CASES, architecture
from wslbench.architectures import Architecture
from wslbench.symmetry import SymmetryGroup
from wslbench.zoo.template import build

Array = npt.NDArray[Any]

ARCHITECTURES: dict[str, Architecture] = {name: case.architecture for name, case in CASES.items()} | {
    "cnn of odd size": architecture("cnn", width=3, in_channels=3, image_size=11),
    "cnn_modelzoo, relu": architecture("cnn_modelzoo", image_size=28, activation="relu", dropout=0.2),
    "mlp, relu": architecture("mlp", in_features=3, hidden=[6, 5, 4], out_features=2, activation="relu"),
    "mlp, gelu": architecture("mlp", in_features=3, hidden=[6, 6], out_features=2, activation="gelu"),
    "vit with four heads": architecture("vit", dim=8, depth=1, heads=4, image_size=8, mlp_ratio=1.5),
}


def weights(described: Architecture, group: SymmetryGroup, count: int, seed: int = 0) -> dict[str, Array]:
    """``count`` networks with every tensor drawn at random, normalisations included, in float64."""
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    states = [build(described).double().state_dict() for _ in range(count)]
    found = {}
    for name in group.shapes:
        stacked = np.stack([state[name].numpy() for state in states])
        noise = generator.normal(size=stacked.shape)
        found[name] = stacked * np.exp(0.3 * noise) if name.endswith("running_var") else stacked + 0.1 * noise
    return found


def outputs(described: Architecture, tensors: Mapping[str, Array], dtype: torch.dtype = torch.float64) -> Array:
    """Outputs of every network of a stack on the same inputs, everything else as freshly built."""
    network = build(described).to(dtype).eval()
    state = {
        name: tensor.fill_(0.1) if name not in tensors and tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    inputs = described.example_input(3)
    inputs = inputs.to(dtype) if inputs.is_floating_point() else inputs
    found = []
    for row in range(len(next(iter(tensors.values())))):
        moved = {name: torch.from_numpy(tensor[row].copy()) for name, tensor in tensors.items()}
        network.load_state_dict({**state, **moved})
        with torch.no_grad():
            found.append(network(inputs).numpy())
    return np.stack(found)


def largest_change(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """Largest difference of any two weights."""
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)
