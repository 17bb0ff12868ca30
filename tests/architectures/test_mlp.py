"""MLPs: names, sizes, initialisation, and the formula written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import gelu, leaky_relu, linear, relu, silu

from tests.architectures.cases import architecture

FUNCTIONS = {
    "tanh": torch.tanh,
    "relu": relu,
    "gelu": gelu,
    "sigmoid": torch.sigmoid,
    "leakyrelu": leaky_relu,
    "silu": silu,
}


def test_names_count_linear_layers() -> None:
    network = architecture("mlp", in_features=2, hidden=[50, 40, 30], out_features=1).module()
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == {
        "layers.0.weight": (50, 2),
        "layers.0.bias": (50,),
        "layers.1.weight": (40, 50),
        "layers.1.bias": (40,),
        "layers.2.weight": (30, 40),
        "layers.2.bias": (30,),
        "layers.3.weight": (1, 30),
        "layers.3.bias": (1,),
    }


def test_parameters_by_hand() -> None:
    # 2·32+32, twice 32·32+32, 32·1+1
    assert architecture("mlp", in_features=2, hidden=[32, 32, 32], out_features=1).parameters() == 96 + 2 * 1056 + 33


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_forward_is_the_formula(activation: str) -> None:
    network = architecture("mlp", in_features=3, hidden=[7, 5], out_features=2, activation=activation).module()
    state = network.state_dict()
    points = torch.randn(4, 3)
    hidden = points
    for layer in (0, 1):
        hidden = FUNCTIONS[activation](linear(hidden, state[f"layers.{layer}.weight"], state[f"layers.{layer}.bias"]))
    expected = linear(hidden, state["layers.2.weight"], state["layers.2.bias"])
    torch.testing.assert_close(network(points), expected)
    assert expected.shape == (4, 2)


def test_images_are_read_pixel_by_pixel() -> None:
    network = architecture("mlp", in_features=16, hidden=[5], out_features=10, activation="relu").module()
    images = torch.randn(3, 1, 4, 4)
    torch.testing.assert_close(network(images), network(images.reshape(3, 16)))


def test_xavier_weights_have_glorots_variance_and_no_biases() -> None:
    torch.manual_seed(0)
    xavier = architecture("mlp", in_features=200, hidden=[300], out_features=100, initialisation="xavier").module()
    state = xavier.state_dict()
    for layer, fans in ((0, 500), (1, 400)):
        # The sample variance of so many normal numbers lies within 3 % of 2 / (fan in + fan out).
        assert state[f"layers.{layer}.weight"].var().item() == pytest.approx(2 / fans, rel=0.03)
        assert not state[f"layers.{layer}.bias"].any()


def test_torch_initialisation_is_that_of_linear_layers() -> None:
    torch.manual_seed(0)
    state = architecture("mlp", in_features=3, hidden=[4], out_features=2).module().state_dict()
    torch.manual_seed(0)
    for layer, (fan_in, fan_out) in enumerate([(3, 4), (4, 2)]):
        expected = torch.nn.Linear(fan_in, fan_out)
        assert torch.equal(state[f"layers.{layer}.weight"], expected.weight)
        assert torch.equal(state[f"layers.{layer}.bias"], expected.bias)
