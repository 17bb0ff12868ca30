"""The classification objective: bytes, normalisation, what counts as dead."""

import numpy as np
import pytest
import torch

from wslbench.architectures import Architecture
from wslbench.errors import LandscapeError
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


def test_sides_and_layers(images):
    labels = torch.arange(50) % 10
    ready = (images.float() / 255 - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(STD).reshape(3, 1, 1)
    objective = Classification(images[:30], labels[:30], images[30:], labels[30:], 10, mean=MEAN, std=STD)
    stack = ModelStack.initialise(ARCHITECTURE, [0, 1])
    for side, rows in (("train", slice(0, 30)), ("test", slice(30, 50))):
        values, expected = objective.values(stack, side), performance(stack, ready[rows], labels[rows])
        assert values.loss == pytest.approx(expected.loss.numpy(), rel=1e-5)
        assert values.error == pytest.approx(100 * (1 - expected.accuracy.numpy()))
        batch = objective.clean(np.array([4, 7]), side)
        assert torch.allclose(batch.tensors[0], ready[rows][[4, 7]], atol=1e-6)
        assert batch.tensors[1].tolist() == labels[rows][[4, 7]].tolist()
    network = ARCHITECTURE.module().eval()
    network.load_state_dict({n: torch.from_numpy(a[1]) for n, a in stack.arrays().items()}, strict=False)
    first = next(name for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d))
    by_hand = network.get_submodule(first)(ready[30:]).flatten(1)
    assert torch.allclose(objective.representation(stack, first)[1], by_hand, atol=1e-5)
    with pytest.raises(LandscapeError, match="no layer 'layer9'; they have"):
        objective.representation(stack, "layer9")
