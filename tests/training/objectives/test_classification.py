"""The classification objective: bytes, normalisation, what counts as dead."""

import numpy as np
import pytest
import torch

from wslbench.architectures import Architecture
from wslbench.training import Classification, ModelStack, logits_of, performance

ARCHITECTURE = Architecture(builder="cnn", arguments={"width": 2, "in_channels": 3})
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (50, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_bytes_are_normalised_as_by_hand(images):
    labels = torch.arange(50) % 10
    objective = Classification(images, labels, images, labels, 10, mean=MEAN, std=STD)
    stack = ModelStack.initialise(ARCHITECTURE, [0, 1])
    ready = (images.float() / 255 - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(STD).reshape(3, 1, 1)
    measured, expected = objective.measure(stack), performance(stack, ready, labels)
    assert measured["test_loss"] == pytest.approx(expected.loss.numpy(), rel=1e-5)
    assert measured["train_accuracy"] == pytest.approx(expected.accuracy.numpy())
    drawn, _ = objective.draw(np.array([[3, 4], [5, 6]]), [np.random.default_rng(0)] * 2)
    assert torch.allclose(drawn[1], ready[5:7], atol=1e-6)
    assert torch.allclose(objective.representation(stack), logits_of(stack, ready), atol=1e-4)
    assert torch.allclose(torch.cat(list(objective.clean_inputs(20))), ready, atol=1e-6)


def test_dead_is_below_twice_chance(images):
    labels = torch.arange(50) % 10
    objective = Classification(images, labels, images, labels, 10, mean=MEAN, std=STD)
    assert objective.dead({"train_accuracy": np.array([0.1, 0.19, 0.21])}).tolist() == [True, True, False]
    assert objective.error_of({"train_accuracy": np.array([0.9])})[0] == pytest.approx(10.0)
