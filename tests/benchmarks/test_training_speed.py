"""Training and measuring a stack against one network after the other, one thread each way."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from wslbench.architectures import Architecture
from wslbench.landscape.hessian import hessian_trace
from wslbench.training import ModelStack, Optimisation, train_stack

SIZE = 20


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(320, 1, 8, 8, generator=generator), torch.randint(0, 10, (320,), generator=generator)


@pytest.mark.parametrize("width", [2, 4, 8, 14])
def test_training_an_epoch(against, data, width):
    architecture = Architecture(builder="cnn", arguments={"width": width})
    stack = ModelStack.initialise(architecture, list(range(SIZE)))
    optimisation = Optimisation(epochs=1, batch_size=16)
    inputs, labels = data

    def stacked():
        train_stack(stack, inputs, labels, optimisation, [0.05] * SIZE, list(range(SIZE)), [1])

    def one_by_one():
        for seed in range(SIZE):
            torch.manual_seed(seed)
            network = architecture.module().train()
            optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
            for index in torch.randperm(len(labels)).split(16):
                optimiser.zero_grad()
                cross_entropy(network(inputs[index]), labels[index]).backward()
                optimiser.step()

    against(stacked, one_by_one, rounds=3)


def test_hessian_trace(against, data):
    architecture = Architecture(builder="cnn", arguments={"width": 4})
    stack = ModelStack.initialise(architecture, list(range(SIZE)))
    inputs, labels = data[0][:64], data[1][:64]
    probes = 8

    def stacked():
        hessian_trace(stack, inputs, labels, seeds=range(SIZE), maximum_probes=probes)

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
