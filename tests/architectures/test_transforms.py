"""Every network works stacked, differentiated forwards over backwards, and traced: what the engine does to them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, grad, jvp, stack_module_state, vmap

from tests.architectures.cases import CASES, Case, architecture

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def networks_of(case: Case, count: int) -> list[nn.Module]:
    torch.manual_seed(0)
    networks: list[nn.Module] = [case.architecture.module().double() for _ in range(count)]
    for network in networks:  # statistics as after training, not those of a fresh network
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return networks


def detached(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@each_case
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_a_stack_gives_what_its_networks_give(case: Case, training: bool) -> None:
    networks = [network.train(training) for network in networks_of(case, 3)]
    inputs = torch.stack([case.inputs(4, seed) for seed in range(3)])
    parameters, buffers = stack_module_state(networks)
    parameters, buffers = detached(parameters), detached(buffers)
    template = case.architecture.module().double().train(training)

    def forward(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return functional_call(template, (parameters, buffers), (inputs,))

    stacked = vmap(forward, randomness="different")(parameters, buffers, inputs)
    for row, network in enumerate(networks):
        torch.testing.assert_close(stacked[row], network(inputs[row]))
        for name, buffer in network.named_buffers():  # running statistics moved alike, or not at all
            torch.testing.assert_close(buffers[name][row], buffer)


@each_case
def test_stacked_gradients_are_the_networks_gradients(case: Case) -> None:
    networks = [network.eval() for network in networks_of(case, 2)]
    inputs = case.inputs(4)
    parameters, buffers = stack_module_state(networks)
    template = case.architecture.module().double().eval()

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(template, (parameters, buffers), (inputs,)).square().mean()

    gradients = vmap(grad(loss))(detached(parameters), detached(buffers))
    for row, network in enumerate(networks):
        network(inputs).square().mean().backward()
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(gradients[name][row], parameter.grad)


@each_case
def test_forward_over_backward_is_backward_over_backward(case: Case) -> None:
    """Hessian-vector products, stacked, against autograd's own double backward."""
    networks = [network.eval() for network in networks_of(case, 2)]
    inputs = case.inputs(3)
    stacked, buffers = stack_module_state(networks)
    stacked, buffers = detached(stacked), detached(buffers)
    directions = {name: torch.randn_like(tensor) for name, tensor in stacked.items()}
    template = case.architecture.module().double().eval()

    def product(parameters, direction, buffers):
        def loss(parameters: dict[str, Tensor]) -> Tensor:
            return functional_call(template, (parameters, buffers), (inputs,)).square().mean()

        return jvp(grad(loss), (parameters,), (direction,))[1]

    products = vmap(product)(stacked, directions, buffers)
    for row, network in enumerate(networks):
        parameters = dict(network.named_parameters())
        gradients = torch.autograd.grad(network(inputs).square().mean(), list(parameters.values()), create_graph=True)
        along = sum((g * directions[name][row]).sum() for name, g in zip(parameters, gradients, strict=True))
        expected = torch.autograd.grad(along, list(parameters.values()), materialize_grads=True)
        for name, tensor in zip(parameters, expected, strict=True):
            torch.testing.assert_close(products[name][row], tensor)


@each_case
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_a_traced_network_is_the_network(case: Case, training: bool) -> None:
    network = networks_of(case, 1)[0].train(training)
    traced = fx.symbolic_trace(network)
    assert set(traced.state_dict()) == set(network.state_dict())
    for batch in (2, 5):  # no size of a batch is traced in
        inputs = case.inputs(batch)
        torch.testing.assert_close(traced(inputs), network(inputs))


@each_case
def test_a_batch_is_its_samples_one_by_one(case: Case) -> None:
    network = networks_of(case, 1)[0].eval()
    inputs = case.inputs(3)
    torch.testing.assert_close(network(inputs), torch.cat([network(sample[None]) for sample in inputs]))


def test_stacked_dropout_drops_differently_in_each_network() -> None:
    described = architecture("cnn_modelzoo", image_size=28, dropout=0.5)
    network = described.module().train()
    twice = {name: torch.stack([p, p]) for name, p in detached(dict(network.named_parameters())).items()}
    images = torch.randn(8, 1, 28, 28)
    forward = vmap(lambda parameters: functional_call(network, parameters, (images,)), randomness="different")
    first, second = forward(twice)
    assert not torch.allclose(first, second)
    network.eval()
    first, second = forward(twice)
    torch.testing.assert_close(first, second)
