"""The symmetries of every builder: they hold, they move weights, and there are as many as counting by hand gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import wslbench
from tests.architectures.cases import architecture
from tests.symmetry.networks import ARCHITECTURES, largest_change, outputs, weights
from wslbench.architectures import BUILDERS, Architecture
from wslbench.symmetry import apply, random, symmetries

each_architecture = pytest.mark.parametrize("described", ARCHITECTURES.values(), ids=ARCHITECTURES)


def test_every_builder_is_here() -> None:
    assert {described.builder for described in ARCHITECTURES.values()} == set(BUILDERS)


@each_architecture
@pytest.mark.parametrize("kind", ["permutation", "scaling"])
def test_a_random_element_changes_weights_and_leaves_outputs(described: Architecture, kind: str) -> None:
    group = symmetries(described)
    if kind == "scaling" and not group.scales:
        assert described.arguments["activation"] == "gelu"
        return
    before = weights(described, group, 4)
    elements = random(group, 4, seed=1, permutation=kind == "permutation", scaling=kind == "scaling")
    after = apply(group, elements, before)
    assert largest_change(before, after) > 0.1
    expected = outputs(described, before)
    np.testing.assert_allclose(outputs(described, after), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@each_architecture
def test_outputs_stay_within_1e_5_in_single_precision(described: Architecture) -> None:
    group = symmetries(described)
    before = {name: tensor.astype(np.float32) for name, tensor in weights(described, group, 4).items()}
    after = apply(group, random(group, 4, seed=2), before)
    assert {tensor.dtype for tensor in after.values()} == {np.dtype(np.float32)}
    expected = outputs(described, before, torch.float32)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(outputs(described, after, torch.float32), expected, rtol=0, atol=1e-5 * max(largest, 1))


@each_architecture
def test_permutations_only_move_numbers(described: Architecture) -> None:
    group = symmetries(described)
    before = weights(described, group, 2)
    after = apply(group, random(group, 2, seed=3, scaling=False), before)
    for name, tensor in before.items():
        np.testing.assert_array_equal(np.sort(after[name].reshape(2, -1)), np.sort(tensor.reshape(2, -1)))


def log_factorials(*sizes: int) -> float:
    return math.fsum(math.lgamma(size + 1) for size in sizes)


def test_sizes_of_permutation_groups_by_hand() -> None:
    """Hidden units of each layer; one common order for what a shortcut adds to; heads, and units inside them."""
    assert symmetries(architecture("cnn", width=3)).log_permutations == pytest.approx(log_factorials(3, 6, 6))
    mlp = architecture("mlp", in_features=2, hidden=[5, 4], out_features=1)
    assert symmetries(mlp).log_permutations == pytest.approx(log_factorials(5, 4))
    zoo_cnn = symmetries(architecture("cnn_modelzoo", image_size=28))
    assert zoo_cnn.log_permutations == pytest.approx(log_factorials(8, 6, 4, 20))
    # Stages of widths 2, 4, 8, 16: a stream, and one hidden layer in each of two blocks.
    resnet = symmetries(architecture("resnet18", width=2))
    assert resnet.log_permutations == pytest.approx(log_factorials(*(w for w in (2, 4, 8, 16) for _ in range(3))))
    # Bottlenecks: two hidden layers in each block, and a stream four times as wide.
    bottlenecks = [size for width, depth in zip((1, 2, 4, 8), (3, 4, 6, 3), strict=True)
                   for size in (4 * width, *[width] * (2 * depth))]  # fmt: skip
    resnet = symmetries(architecture("resnet50", width=1, in_channels=1, classes=3))
    assert resnet.log_permutations == pytest.approx(log_factorials(*bottlenecks, 1))  # and the first convolution
    # Stream; and in each of two blocks: heads, queries with keys and values inside each, the feed-forward layer.
    for transformer in (ARCHITECTURES["vit"], ARCHITECTURES["gpt"]):
        block = (2, 4, 4, 4, 4, 32)
        assert symmetries(transformer).log_permutations == pytest.approx(log_factorials(8, *block, *block))


def test_numbers_of_scales_by_hand() -> None:
    """One a unit and map that commutes with it, and what they may be."""
    tanh = symmetries(architecture("mlp", in_features=2, hidden=[5, 4], out_features=1))
    assert (tanh.scales, tanh.sign_free.all(), tanh.magnitude_free.any()) == (9, True, False)
    relu = symmetries(architecture("mlp", in_features=2, hidden=[5, 4], out_features=1, activation="relu"))
    assert (relu.scales, relu.sign_free.any(), relu.magnitude_free.all()) == (9, False, True)
    # A filter may be scaled by any number before its batch norm, and by a positive one after it.
    cnn = symmetries(architecture("cnn", width=3))
    assert (cnn.scales, cnn.magnitude_free.sum(), cnn.sign_free.sum()) == (30, 30, 15)
    # Of a transformer: norms' outputs (two a block and the last), and in attention queries against keys, and values.
    vit = symmetries(ARCHITECTURES["vit"])
    assert vit.scales == 5 * 8 + 2 * (8 + 8)
    assert vit.sign_free.all()
    # GPT-2's last norm is read by the token embedding, which the stream begins with.
    assert symmetries(ARCHITECTURES["gpt"]).scales == 4 * 8 + 2 * (8 + 8)


def test_networks_of_the_embedded_zoos_keep_their_functions() -> None:
    """Trained weights, batch norms with tiny variances among them."""
    for name in ("digits-cnn", "convection-pinn"):
        for stack in wslbench.load_zoo(name).models()[::50].by_architecture():
            tensors = {key: stack[key] for key in stack.keys()}  # noqa: SIM118 - a Stack is no mapping
            group = symmetries(stack.architecture)
            after = apply(group, random(group, len(stack), seed=0), tensors)
            expected = outputs(stack.architecture, tensors, torch.float32)
            scale = np.abs(expected).max(axis=tuple(range(1, expected.ndim)), keepdims=True)
            np.testing.assert_allclose(
                outputs(stack.architecture, after, torch.float32) / scale, expected / scale, atol=1e-5
            )
            assert largest_change(tensors, after) > 0.1


def test_an_architecture_is_derived_once() -> None:
    assert symmetries(architecture("cnn", width=2)) is symmetries(architecture("cnn", width=2))
