"""Training and measuring a stack against one network after the other, one thread each way.

The obvious way is one process a model; its start-up is left out here, so that the ratios are those of the loops.
"""

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.training.objectives.test_convection import obvious_loss
from tests.training.problems import classification, settings
from wslbench.architectures import Architecture
from wslbench.datasets import load_dataset
from wslbench.landscape.hessian import hessian_trace
from wslbench.training import Convection, ModelStack, Optimisation, measure_pass_size, train_stack

SIZE = 20


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(384, 1, 8, 8, generator=generator), torch.randint(0, 10, (384,), generator=generator)


@pytest.mark.parametrize("batch_size", [8, 32, 128])
@pytest.mark.parametrize("width", [4, 16])
def test_training_cnns(against, data, width, batch_size):
    """48 steps of 20 networks: as a zoo's build would train them, with the size of a pass that it measures."""
    architecture = Architecture(builder="cnn", arguments={"width": width})
    stack = ModelStack.initialise(architecture, list(range(SIZE)))
    epochs = batch_size // 8
    optimisation = Optimisation(epochs=epochs, batch_size=batch_size)
    objective, own = classification(*data), settings([0.05] * SIZE, list(range(SIZE)))
    inputs, labels = data
    chosen = measure_pass_size(stack, objective, optimisation)

    def ours():
        train_stack(stack, objective, optimisation, own, [epochs], pass_size=chosen)

    def one_by_one():
        for seed in range(SIZE):
            torch.manual_seed(seed)
            network = architecture.module().train()
            optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
            for _ in range(epochs):
                for index in torch.randperm(len(labels)).split(batch_size):
                    optimiser.zero_grad()
                    cross_entropy(network(inputs[index]), labels[index]).backward()
                    optimiser.step()

    against(ours, one_by_one, rounds=3)


@pytest.mark.parametrize("size", [20, 70])
def test_training_pinns(against, size):
    """Three epochs (48 steps) of PINNs of the embedded zoo's shape, each with its own convection coefficient."""
    points = load_dataset("convection")
    architecture = Architecture(
        builder="mlp", arguments={"in_features": 2, "hidden": [60, 60], "out_features": 1, "initialisation": "xavier"}
    )
    stack = ModelStack.initialise(architecture, list(range(size)))
    objective = Convection(points, torch.linspace(1, 20, size))
    optimisation = Optimisation(epochs=3, batch_size=64, optimiser="adam", weight_decay=0)
    own = settings([0.003] * size, list(range(size)))
    chosen = measure_pass_size(stack, objective, optimisation)
    interior, initial, boundary = (torch.from_numpy(a) for a in (points.interior, points.initial, points.boundary))

    def ours():
        train_stack(stack, objective, optimisation, own, [3], pass_size=chosen)

    def one_by_one():
        for row in range(size):
            torch.manual_seed(row)
            network = architecture.module()
            optimiser = torch.optim.Adam(network.parameters(), lr=0.003)
            for index in [part for _ in range(3) for part in torch.randperm(len(interior)).split(64)]:
                start, edge = (some[torch.randint(len(some), (16,))] for some in (initial, boundary))
                optimiser.zero_grad()
                obvious_loss(network, interior[index], start, edge, float(objective.coefficients[row])).backward()
                optimiser.step()

    against(ours, one_by_one, rounds=3)


def test_hessian_trace(against, data):
    architecture = Architecture(builder="cnn", arguments={"width": 4})
    stack = ModelStack.initialise(architecture, list(range(SIZE)))
    inputs, labels = data[0][:64], data[1][:64]
    objective, samples = classification(inputs, labels), torch.arange(64).numpy()
    probes = 8

    def stacked():
        hessian_trace(stack, objective, samples, seeds=range(SIZE), maximum_probes=probes)

    def one_by_one():
        for row in range(SIZE):
            network = architecture.module().eval()
            network.load_state_dict({n: t[row] for n, t in stack.parameters.items()}, strict=False)
            parameters = list(network.parameters())
            gradients = torch.autograd.grad(cross_entropy(network(inputs), labels), parameters, create_graph=True)
            for _ in range(probes):
                probe = [torch.randint(0, 2, p.shape).to(p.dtype) * 2 - 1 for p in parameters]
                torch.autograd.grad(gradients, parameters, probe, retain_graph=True)

    against(stacked, one_by_one, rounds=3)
