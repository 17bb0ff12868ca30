"""Straight lines between networks that differ by a symmetry have no barrier once their ends are aligned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.architectures.cases import architecture
from wslbench.datasets import load_dataset
from wslbench.landscape.alignment import aligned_ends
from wslbench.landscape.connectivity import straight_lines
from wslbench.symmetry import apply, random, symmetries
from wslbench.training import Classification, ModelStack, reestimate_batch_norm

CNN = architecture("cnn", width=4)
MLP = architecture("mlp", in_features=64, hidden=[16, 8], out_features=10)


@pytest.fixture(scope="module")
def digits() -> tuple[Classification, torch.Tensor]:
    data = load_dataset("digits")
    tensors = [torch.as_tensor(a) for a in (data.train_inputs, data.train_labels, data.test_inputs, data.test_labels)]
    return Classification(*tensors, classes=10), tensors[0]


def moved(stack: ModelStack, seed: int) -> ModelStack:
    group = symmetries(stack.architecture)
    tensors = {name: tensor.numpy() for name, tensor in (stack.parameters | stack.statistics).items()}
    found = apply(group, random(group, stack.size, seed), tensors)
    return ModelStack.from_tensors(stack.architecture, {name: torch.from_numpy(each) for name, each in found.items()})


@pytest.mark.parametrize("described", [CNN, MLP], ids=["cnn", "tanh mlp"])
def test_a_network_and_its_disguise_are_joined_by_a_straight_line(described, digits) -> None:
    objective, images = digits
    start = ModelStack.initialise(described, [1, 2, 3])
    if start.statistics:
        start = reestimate_batch_norm(start, images)
    end = moved(start, seed=4)
    apart = straight_lines(start, end, objective)
    together = straight_lines(start, aligned_ends(start, end), objective)
    np.testing.assert_allclose(together.mode_connectivity, 0, atol=0.2)
    np.testing.assert_allclose(together.train_loss[:, 2], together.train_loss[:, 0], rtol=1e-3)
    assert np.abs(apart.train_loss[:, 2] - apart.train_loss[:, 0]).max() > 0.01


def test_alignment_keeps_functions(digits) -> None:
    objective, images = digits
    start, end = (reestimate_batch_norm(ModelStack.initialise(CNN, seeds), images) for seeds in ([1, 2], [7, 8]))
    before, after = (objective.measure(stack)["train_loss"] for stack in (end, aligned_ends(start, end)))
    np.testing.assert_allclose(after, before, rtol=1e-4)
