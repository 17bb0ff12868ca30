"""Mode connectivity on hand-worked values and on networks whose answer is known."""

import numpy as np
import pytest
import torch

from tests.training.problems import classification, settings
from wslbench.architectures import Architecture
from wslbench.landscape.connectivity import bezier, fit_curves, mode_connectivity, straight_lines
from wslbench.training import Classification, ModelStack, Optimisation, performance, reestimate_batch_norm, train_stack


def test_sign_by_hand():
    barrier = [0.0, 4.0, 10.0, 4.0, 2.0]
    better_inside = [20.0, 12.0, 8.0, 12.0, 20.0]
    flat = [1.0, 1.0, 1.0, 1.0, 1.0]
    assert mode_connectivity(np.array([barrier, better_inside, flat])).tolist() == [-9.0, 12.0, 0.0]


def test_the_farthest_point_counts_whatever_its_sign():
    assert mode_connectivity(np.array([[10.0, 13.0, 5.0, 10.0, 10.0]])).tolist() == [5.0]


def test_bezier_ends_and_middle():
    start, bend, end = ({"w": torch.full((2, 3), value)} for value in (1.0, 5.0, 3.0))
    t = torch.tensor([0.0, 1.0])
    assert bezier(start, bend, end, t)["w"][:, 0].tolist() == [1.0, 3.0]
    half = bezier(start, bend, end, torch.tensor([0.5, 0.5]))["w"]
    assert half[0, 0].item() == pytest.approx(0.25 * 1 + 0.5 * 5 + 0.25 * 3)


@pytest.fixture(scope="module")
def trained():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    inputs = 0.3 * torch.randn(120, 1, 4, 4, generator=generator) + labels.reshape(-1, 1, 1, 1) - 1.0
    architecture = Architecture(builder="cnn", arguments={"width": 4, "image_size": 4, "classes": 3})
    stack = ModelStack.initialise(architecture, [1, 2])
    optimisation = Optimisation(epochs=15, batch_size=12)
    result = train_stack(stack, classification(inputs, labels), optimisation, settings([0.05, 0.05], [1, 2]), [15])
    return reestimate_batch_norm(result.checkpoints[15], inputs), inputs, labels


def test_ends_of_the_curve_are_the_networks_themselves(trained):
    stack, inputs, labels = trained
    curve = Optimisation(epochs=3, batch_size=30, learning_rate=0.05, schedule="cosine")
    fit = fit_curves(stack.select([0]), stack.select([1]), classification(inputs, labels), curve, seeds=[0])
    ends = 100 * (1 - performance(stack, inputs, labels).accuracy.numpy())
    assert fit.train_error[0, [0, -1]] == pytest.approx(ends)


def test_a_network_is_connected_with_itself(trained):
    stack, inputs, labels = trained
    curve = Optimisation(epochs=3, batch_size=30, learning_rate=0.01, schedule="cosine")
    fit = fit_curves(stack.select([0]), stack.select([0]), classification(inputs, labels), curve, seeds=[0])
    assert abs(fit.mode_connectivity[0]) < 2.0


def test_pairs_do_not_see_each_other(trained):
    stack, inputs, labels = trained
    curve = Optimisation(epochs=2, batch_size=30, learning_rate=0.05, schedule="cosine")
    together = fit_curves(
        stack.select([0, 1]), stack.select([1, 1]), classification(inputs, labels), curve, seeds=[7, 8]
    )
    alone = fit_curves(stack.select([0]), stack.select([1]), classification(inputs, labels), curve, seeds=[7])
    assert together.train_loss[0] == pytest.approx(alone.train_loss[0], rel=1e-3)


def test_a_straight_line_is_the_mean_of_the_weights(trained):
    stack, inputs, labels = trained
    line = straight_lines(stack.select([0]), stack.select([1]), classification(inputs, labels), (0.0, 0.3, 1.0))
    mixed = {name: (0.7 * tensor[:1] + 0.3 * tensor[1:]) for name, tensor in stack.parameters.items()}
    statistics = {name: tensor[:1] for name, tensor in stack.statistics.items()}
    network = reestimate_batch_norm(ModelStack(stack.architecture, mixed, statistics), inputs)
    expected = performance(network, inputs, labels)
    assert line.train_loss[0, 1] == pytest.approx(expected.loss.item(), rel=1e-4)
    assert line.train_error[0, 1] == pytest.approx(100 * (1 - expected.accuracy.item()))


def test_more_points_and_the_test_side(trained):
    stack, inputs, labels = trained
    curve = Optimisation(epochs=2, batch_size=30, learning_rate=0.05, schedule="cosine")
    points = tuple(np.linspace(0, 1, 9))
    objective = Classification(inputs[:90], labels[:90], inputs[90:], labels[90:], classes=3)
    fit = fit_curves(stack.select([0]), stack.select([1]), objective, curve, seeds=[0], points=points)
    few = fit_curves(stack.select([0]), stack.select([1]), objective, curve, seeds=[0])
    assert fit.train_error.shape == fit.test_loss.shape == (1, 9)
    for column in ("train_error", "train_loss", "test_error", "test_loss"):  # measuring more changes no curve
        assert getattr(fit, column)[:, ::2] == pytest.approx(getattr(few, column))
    ends = reestimate_batch_norm(stack, inputs[:90])
    held_out = performance(ends, inputs[90:], labels[90:])
    assert fit.test_loss[0, [0, -1]] == pytest.approx(held_out.loss.numpy(), rel=1e-5)
    assert fit.test_error[0, [0, -1]] == pytest.approx(100 * (1 - held_out.accuracy.numpy()))
