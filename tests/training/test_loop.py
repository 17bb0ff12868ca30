"""The stacked loop against the obvious one: one network, one torch.optim.SGD, one batch after the other."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from wslbench.architectures import Architecture
from wslbench.errors import RecipeError
from wslbench.training import Augmentation, ModelStack, Optimisation, train_stack
from wslbench.training.augmentation import AugmentedImages

ARCHITECTURE = Architecture(builder="cnn", arguments={"width": 2})
RATES = [0.02, 0.1]
SEEDS = [11, 12]


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(70, 1, 8, 8, generator=generator), torch.randint(0, 10, (70,), generator=generator)


def train_obviously(seed, rate, data, optimisation, augmentation):
    """The textbook loop, with nothing of the stacked one but the order of the data."""
    inputs, labels = data
    torch.manual_seed(seed)
    network = ARCHITECTURE.module().train()
    optimiser = torch.optim.SGD(
        network.parameters(), lr=rate, momentum=optimisation.momentum, weight_decay=optimisation.weight_decay
    )
    generator = np.random.default_rng(seed)
    images = AugmentedImages(inputs, augmentation)
    steps = len(labels) // optimisation.batch_size
    for epoch in range(optimisation.epochs):
        order = generator.permutation(len(labels))
        for number in range(steps):
            index = order[number * optimisation.batch_size :][: optimisation.batch_size]
            batch = images.batch(index[None], [generator])[0]
            for group in optimiser.param_groups:
                group["lr"] = rate * optimisation.rate_factor(epoch * steps + number, steps)
            optimiser.zero_grad()
            cross_entropy(network(batch), labels[torch.from_numpy(index)]).backward()
            optimiser.step()
    return dict(network.named_parameters())


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(shift=1, probability=0.5)])
def test_equals_the_obvious_loop(data, schedule, augmentation):
    optimisation = Optimisation(epochs=2, batch_size=16, schedule=schedule, warmup_epochs=1)
    stack = ModelStack.initialise(ARCHITECTURE, SEEDS)
    result = train_stack(stack, *data, optimisation, RATES, SEEDS, [2], augmentation)
    for row, (seed, rate) in enumerate(zip(SEEDS, RATES, strict=True)):
        for name, expected in train_obviously(seed, rate, data, optimisation, augmentation).items():
            assert torch.allclose(result.checkpoints[2].parameters[name][row], expected, atol=2e-4), name


def test_the_longer_run_begins_as_the_shorter_one(data):
    short = Optimisation(epochs=2, batch_size=16, warmup_epochs=1)
    stack = ModelStack.initialise(ARCHITECTURE, SEEDS)
    before = copy.deepcopy(stack.parameters)
    once = train_stack(stack, *data, short, RATES, SEEDS, [2])
    twice = train_stack(stack, *data, short.model_copy(update={"epochs": 4}), RATES, SEEDS, [2, 4])
    for name, tensor in once.checkpoints[2].parameters.items():
        assert torch.equal(tensor, twice.checkpoints[2].parameters[name])
        assert torch.equal(before[name], stack.parameters[name])
    assert twice.running_loss.shape == (4, 2)


def test_no_augmentation_keeps_images_and_shifts_stay_in_reach(data):
    inputs, _ = data
    index = np.arange(12).reshape(2, 6)
    generators = [np.random.default_rng(s) for s in (0, 1)]
    assert torch.equal(AugmentedImages(inputs, Augmentation()).batch(index, generators)[1], inputs[6:12])
    marked = torch.full((1, 1, 8, 8), -1.0)
    marked[0, 0, 4, 4] = 1.0
    shifted = AugmentedImages(marked, Augmentation(shift=1)).batch(np.zeros((1, 400), dtype=np.int64), generators[:1])
    places = {tuple(place) for place in (shifted[0, :, 0] == 1).nonzero()[:, 1:].tolist()}
    assert places == {(y, x) for y in (3, 4, 5) for x in (3, 4, 5)}
    half = AugmentedImages(marked, Augmentation(shift=1, probability=0.45))
    batch = half.batch(np.zeros((1, 4000), dtype=np.int64), [np.random.default_rng(3)])
    moved = 1 - (batch[0, :, 0, 4, 4] == 1).double().mean().item()
    assert moved == pytest.approx(0.45 * 8 / 9, abs=0.04)


def test_a_batch_larger_than_the_data_is_refused(data):
    with pytest.raises(RecipeError, match="larger"):
        train_stack(
            ModelStack.initialise(ARCHITECTURE, [0]), *data, Optimisation(epochs=1, batch_size=71), [0.1], [0], [1]
        )


def test_schedules_by_hand():
    constant = Optimisation(epochs=4, batch_size=1, warmup_epochs=1)
    assert [constant.rate_factor(step, 2) for step in range(5)] == [0.5, 1.0, 1.0, 1.0, 1.0]
    cosine = Optimisation(epochs=4, batch_size=1, schedule="cosine")
    assert cosine.rate_factor(0, 2) == 1.0
    assert cosine.rate_factor(4, 2) == pytest.approx(0.5)
    assert cosine.rate_factor(8, 2) == pytest.approx(0.0)
