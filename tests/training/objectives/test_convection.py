"""The convection objective against derivatives by plain autograd and against the analytic solution."""

import numpy as np
import pytest
import torch
from torch import nn

from wslbench.architectures import Architecture
from wslbench.datasets import load_dataset
from wslbench.training import Convection, ModelStack, Optimisation, RunSettings, train_stack

MLP = Architecture(
    builder="mlp", arguments={"in_features": 2, "hidden": [12, 12], "out_features": 1, "initialisation": "xavier"}
)
BETAS = [1.0, 7.5, 20.0]


@pytest.fixture(scope="module")
def data():
    return load_dataset("convection", interior=96, initial=32, boundary=24)


@pytest.fixture(scope="module")
def stack():
    return ModelStack.initialise(MLP, [1, 2, 3])


def obvious_loss(network, interior, initial, boundary, beta):
    """The objective as a textbook writes it: two partial derivatives by reverse mode."""
    points = interior.clone().requires_grad_(True)
    gradient = torch.autograd.grad(network(points).sum(), points, create_graph=True)[0]
    residual = gradient[:, 1] + beta * gradient[:, 0]
    start = network(torch.stack([initial, 0 * initial], 1))[:, 0] - torch.sin(initial)
    left = network(torch.stack([0 * boundary, boundary], 1))
    right = network(torch.stack([0 * boundary + 2 * torch.pi, boundary], 1))
    return (residual**2).mean() + (start**2).mean() + ((left - right) ** 2).mean()


def module_of(stack, row):
    network = stack.architecture.module()
    network.load_state_dict({name: tensor[row] for name, tensor in stack.parameters.items()})
    return network


def test_train_loss_is_the_textbooks(data, stack):
    measured = Convection(data, torch.tensor(BETAS)).measure(stack)
    points = [torch.from_numpy(array) for array in (data.interior, data.initial, data.boundary)]
    for row, beta in enumerate(BETAS):
        expected = obvious_loss(module_of(stack, row), *points, beta)
        assert measured["train_loss"][row] == pytest.approx(expected.item(), rel=1e-4)


def test_gradient_steps_are_the_textbooks(data, stack):
    """One epoch against the plain loop: one process, one network, torch's Adam, the same batches."""
    objective = Convection(data, torch.tensor(BETAS))
    optimisation = Optimisation(epochs=1, batch_size=32, optimiser="adam", weight_decay=0)
    seeds, rates = [5, 6, 7], [0.001, 0.003, 0.01]
    result = train_stack(stack, objective, optimisation, RunSettings(seeds, rates), [1])
    for row, (seed, rate, beta) in enumerate(zip(seeds, rates, BETAS, strict=True)):
        network = module_of(stack, row)
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        generator = np.random.default_rng(seed)
        order = generator.permutation(96)
        for step in range(3):
            alone = objective.select([row])
            batch = alone.draw(order[None, 32 * step : 32 * step + 32], [generator])
            optimiser.zero_grad()
            obvious_loss(network, *(tensor[0] for tensor in batch[:3]), beta).backward()
            optimiser.step()
        for name, tensor in network.state_dict().items():
            assert torch.allclose(tensor, result.checkpoints[1].parameters[name][row], atol=2e-5), name


class Exact(nn.Module):
    """The analytic solution as a network, with β as a weight; a linear layer reads it out."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(()))
        self.out = nn.Linear(1, 1)
        nn.init.ones_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, points):
        return self.out(torch.sin(points[:, :1] - self.beta * points[:, 1:]))


def test_the_analytic_solution_solves_it(data, monkeypatch):
    monkeypatch.setattr(Architecture, "module", lambda self: Exact())
    stack = ModelStack.initialise(Architecture(builder="exact"), [0, 0])
    stack.parameters["beta"] = torch.tensor([3.0, 3.0])
    measured = Convection(data, torch.tensor([3.0, 5.0])).measure(stack)
    assert measured["train_loss"][0] < 1e-10
    assert measured["test_loss"][0] < 1e-10
    assert measured["relative_l2_error"][0] < 1e-5
    # u_t + 5 u_x of sin(x - 3t) is 2 cos(x - 3t), of mean square 2; the initial condition still holds.
    assert measured["test_loss"][1] == pytest.approx(2.0, rel=0.05)
    assert measured["relative_l2_error"][1] > 0.5


def test_error_of_zero_is_one_and_such_a_network_is_dead(data):
    stack = ModelStack.initialise(MLP, [1])
    stack.parameters["layers.2.weight"].zero_()
    stack.parameters["layers.2.bias"].zero_()
    objective = Convection(data, torch.tensor([4.0]))
    measured = objective.measure(stack)
    assert measured["relative_l2_error"][0] == pytest.approx(1.0)
    assert measured["test_loss"][0] == pytest.approx(0.5, rel=0.02)
    assert objective.dead({"train_loss": np.array([0.5, 0.49, np.nan])}).tolist() == [True, False, False]
    assert objective.error_of(measured)[0] == pytest.approx(100.0)


def test_representation_is_the_last_hidden_layer(data, stack):
    objective = Convection(data, torch.tensor(BETAS))
    features = objective.representation(stack)
    assert features.shape == (3, len(data.grid), 12)
    for row in range(3):
        network = module_of(stack, row)
        by_hand = torch.from_numpy(data.grid)
        for layer in list(network.layers)[:-1]:
            by_hand = torch.tanh(layer(by_hand))
        assert torch.allclose(features[row], by_hand, atol=1e-6)


def test_selecting_keeps_the_coefficients_with_their_networks(data, stack):
    objective = Convection(data, torch.tensor(BETAS))
    whole = objective.measure(stack)["test_loss"]
    some = objective.select([2, 0]).measure(stack.select([2, 0]))["test_loss"]
    assert some == pytest.approx(whole[[2, 0]], rel=1e-5)
