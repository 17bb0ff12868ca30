"""The Model Zoo Dataset's networks: names, sizes, and the layers written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv2d, linear, max_pool2d

from tests.architectures.cases import architecture


@pytest.mark.parametrize(
    ("arguments", "indices"),
    [
        ({"image_size": 28}, [0, 3, 6, 9, 11]),
        ({"image_size": 28, "dropout": 0.1}, [0, 4, 8, 11, 14]),
        ({"image_size": 28, "dropout": 0}, [0, 4, 8, 11, 14]),
        ({"image_size": 32}, [0, 3, 6, 10, 12]),
        ({"image_size": 32, "dropout": 0.5}, [0, 4, 8, 13, 16]),
    ],
)
def test_names_are_the_published_positions(arguments: dict, indices: list[int]) -> None:
    state = architecture("cnn_modelzoo", **arguments).module().state_dict()
    assert list(state) == [f"module_list.{index}.{kind}" for index in indices for kind in ("weight", "bias")]


@pytest.mark.parametrize(("size", "channels", "count"), [(28, 1, 2464), (28, 3, 2864), (32, 3, 10853)])
def test_parameters_are_the_published_numbers(size: int, channels: int, count: int) -> None:
    for dropout in ({}, {"dropout": 0.2}):
        described = architecture("cnn_modelzoo", image_size=size, in_channels=channels, **dropout)
        assert described.parameters() == count


@pytest.mark.parametrize(("size", "pooled"), [(28, [True, True, False]), (32, [True, True, True])])
def test_forward_is_the_layers_in_their_order(size: int, pooled: list[bool]) -> None:
    network = architecture("cnn_modelzoo", image_size=size, in_channels=3, classes=7).module()
    tensors = list(network.state_dict().values())
    images = torch.randn(2, 3, size, size)
    hidden = images
    for layer, pool in enumerate(pooled):
        hidden = conv2d(hidden, tensors[2 * layer], tensors[2 * layer + 1])
        hidden = torch.tanh(max_pool2d(hidden, 2) if pool else hidden)
    hidden = torch.tanh(linear(hidden.flatten(1), tensors[6], tensors[7]))
    expected = linear(hidden, tensors[8], tensors[9])
    assert expected.shape == (2, 7)
    torch.testing.assert_close(network(images), expected)


def test_dropout_changes_names_and_training_only() -> None:
    plain = architecture("cnn_modelzoo", image_size=32, activation="relu").module()
    dropping = architecture("cnn_modelzoo", image_size=32, activation="relu", dropout=0.5).module()
    dropping.load_state_dict(dict(zip(dropping.state_dict(), plain.state_dict().values(), strict=True)))
    images = torch.randn(4, 1, 32, 32)
    torch.testing.assert_close(dropping.eval()(images), plain(images))
    assert not torch.allclose(dropping.train()(images), plain(images))
