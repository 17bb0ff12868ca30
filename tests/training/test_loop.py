"""The stacked loop against the obvious one: one network, one torch.optim.SGD, one batch after the other."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.training.problems import classification, settings
from wslbench.architectures import Architecture
from wslbench.errors import RecipeError
from wslbench.training import Augmentation, ModelStack, Optimisation, PassSize, RunSettings, train_stack
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
                group["lr"] = rate * optimisation.rate_factor(epoch * steps + number, steps, optimisation.epochs)
            optimiser.zero_grad()
            cross_entropy(network(batch), labels[torch.from_numpy(index)]).backward()
            optimiser.step()
    return dict(network.named_parameters())


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(shift=1, probability=0.5)])
def test_equals_the_obvious_loop(data, schedule, augmentation):
    optimisation = Optimisation(epochs=2, batch_size=16, schedule=schedule, warmup_epochs=1)
    stack = ModelStack.initialise(ARCHITECTURE, SEEDS)
    result = train_stack(stack, classification(*data, augmentation), optimisation, settings(RATES, SEEDS), [2])
    for row, (seed, rate) in enumerate(zip(SEEDS, RATES, strict=True)):
        for name, expected in train_obviously(seed, rate, data, optimisation, augmentation).items():
            assert torch.allclose(result.checkpoints[2].parameters[name][row], expected, atol=2e-4), name


def test_the_longer_run_begins_as_the_shorter_one(data):
    short = Optimisation(epochs=2, batch_size=16, warmup_epochs=1)
    stack = ModelStack.initialise(ARCHITECTURE, SEEDS)
    before = copy.deepcopy(stack.parameters)
    once = train_stack(stack, classification(*data), short, settings(RATES, SEEDS), [2])
    twice = train_stack(
        stack, classification(*data), short.model_copy(update={"epochs": 4}), settings(RATES, SEEDS), [2, 4]
    )
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
            ModelStack.initialise(ARCHITECTURE, [0]),
            classification(*data),
            Optimisation(epochs=1, batch_size=71),
            settings([0.1], [0]),
            [1],
        )


@pytest.mark.parametrize("way", [PassSize(1, stacked=True), PassSize(2, stacked=True), PassSize(1, stacked=False)])
def test_the_size_of_a_pass_changes_nothing(data, way):
    seeds, rates = [1, 2, 3], [0.02, 0.05, 0.1]
    stack = ModelStack.initialise(ARCHITECTURE, seeds)
    optimisation = Optimisation(epochs=2, batch_size=16)
    arguments = (stack, classification(*data), optimisation, settings(rates, seeds), [1, 2])
    together, apart = train_stack(*arguments), train_stack(*arguments, pass_size=way)
    assert together.running_loss == pytest.approx(apart.running_loss, rel=1e-3)
    for name, tensor in together.checkpoints[2].parameters.items():
        assert torch.allclose(tensor, apart.checkpoints[2].parameters[name], atol=2e-4), name


def test_every_network_has_its_own_weight_decay(data):
    seeds, rates, decays = [1, 1], [0.05, 0.05], [0.0, 0.1]
    stack = ModelStack.initialise(ARCHITECTURE, seeds)
    own = RunSettings(seeds, rates, decays)
    result = train_stack(stack, classification(*data), Optimisation(epochs=2, batch_size=16), own, [2])
    for row, decay in enumerate(decays):
        alike = Optimisation(epochs=2, batch_size=16, weight_decay=decay)
        alone = train_stack(stack.select([row]), classification(*data), alike, settings([0.05], [1]), [2])
        for name, tensor in alone.checkpoints[2].parameters.items():
            assert torch.allclose(tensor[0], result.checkpoints[2].parameters[name][row], atol=1e-4), name


def test_training_ends_with_the_last_epoch_that_is_kept(data):
    stack = ModelStack.initialise(ARCHITECTURE, SEEDS)
    optimisation = Optimisation(epochs=9, batch_size=16, schedule="one_cycle")
    result = train_stack(stack, classification(*data), optimisation, settings(RATES, SEEDS), [1, 2])
    assert result.running_loss.shape == (2, 2)


def test_progress_sums_to_one(data):
    shares = []
    stack = ModelStack.initialise(ARCHITECTURE, [1, 2, 3])
    optimisation = Optimisation(epochs=2, batch_size=16)
    two = PassSize(2, stacked=True)
    train_stack(
        stack, classification(*data), optimisation, settings([0.1] * 3, [1, 2, 3]), [2], shares.append, pass_size=two
    )
    assert sum(shares) == pytest.approx(1.0)
    assert len(shares) == 4
