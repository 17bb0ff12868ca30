"""Chains: what belongs to a unit moves with it, widths share their channels, and branches are told of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from wslbench import encodings
from wslbench.architectures import BUILDERS, Architecture
from wslbench.encodings import chain_of, chains, padded
from wslbench.errors import ArchitectureError, EncodingError
from wslbench.symmetry import apply, random, symmetries
from wslbench.zoo import Models, Source

CHAINS = {
    "cnn": Architecture(builder="cnn", arguments={"width": 3}),
    "one channel": Architecture(builder="cnn", arguments={"width": 1, "image_size": 16, "in_channels": 3}),
    "grey": Architecture(builder="cnn_modelzoo", arguments={"image_size": 28}),
    "colour": Architecture(builder="cnn_modelzoo", arguments={"image_size": 32, "in_channels": 3, "dropout": 0.1}),
    "shallow": Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [5], "out_features": 3}),
    "deep": Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [5, 4, 6, 3], "out_features": 1}),
}
OTHERS = {
    "resnet18": {"width": 2},
    "resnet50": {"width": 1},
    "vit": {"dim": 8, "depth": 1, "heads": 2},
    "gpt": {"dim": 8, "depth": 1, "heads": 2, "context": 6, "vocabulary": 11},
}


def cnn(width: int) -> Architecture:
    return Architecture(builder="cnn", arguments={"width": width})


def drawn(architecture: Architecture, scales: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Networks with normal weights of standard deviation ``scale / √fan-in``, and of what else there is."""
    generator = np.random.default_rng(seed)
    stacks = {}
    for name, tensor in architecture.module().state_dict().items():
        if tensor.is_floating_point():
            values = generator.normal(size=(len(scales), *tensor.shape)) / np.sqrt(max(1, math.prod(tensor.shape[1:])))
            if tensor.ndim > 1:
                values *= scales.reshape(-1, *[1] * tensor.ndim)
            stacks[name] = (np.exp(values / 4) if name.endswith("running_var") else values).astype(np.float32)
    return stacks


def models_of(*parts: tuple[Architecture, dict[str, np.ndarray]]) -> Models:
    """Models out of stacks, one architecture after the other."""
    sources = [
        Source(f"architecture{number}", architecture, lambda tensors=tensors: tensors)
        for number, (architecture, tensors) in enumerate(parts)
    ]
    sizes = [len(next(iter(tensors.values()))) for _, tensors in parts]
    ids = np.array([f"model{number}" for number in range(sum(sizes))], dtype=object)
    rows = np.concatenate([np.arange(size) for size in sizes])
    return Models(ids, sources, np.repeat(np.arange(len(sizes)), sizes), rows)


@pytest.mark.parametrize("name", CHAINS)
def test_permuting_hidden_units_permutes_features(name: str) -> None:
    """As sets of units, and of sums over the pairs that a unit is in, nothing changes."""
    architecture = CHAINS[name]
    tensors = drawn(architecture, np.geomspace(0.5, 2, 4))
    group = symmetries(architecture)
    moved = apply(group, random(group, 4, 3, scaling=False), tensors)
    (before,), (after,) = (chains(models_of((architecture, each))) for each in (tensors, moved))
    assert before.structure == after.structure
    np.testing.assert_array_equal(after.whole, before.whole)
    for one, other in zip(before.units, after.units, strict=True):
        np.testing.assert_allclose(np.sort(other, axis=2), np.sort(one, axis=2), rtol=1e-12)
    for one, other in zip(before.pairs, after.pairs, strict=True):
        for axis in (2, 3):
            sums, others = np.sort(one.sum(axis), axis=2), np.sort(other.sum(axis), axis=2)
            np.testing.assert_allclose(others, sums, rtol=1e-9, atol=1e-9)


def test_a_small_network_by_hand() -> None:
    architecture = Architecture(builder="mlp", arguments={"in_features": 1, "hidden": [2, 1], "out_features": 1})
    tensors = {
        "layers.0.weight": [[[3.0], [-4.0]]],
        "layers.0.bias": [[0.5, 0.0]],
        "layers.1.weight": [[[1.0, 2.0]]],
        "layers.1.bias": [[-1.0]],
        "layers.2.weight": [[[5.0]]],
        "layers.2.bias": [[7.0]],
    }
    arrays = {name: np.array(values, np.float32) for name, values in tensors.items()}
    (found,) = chains(models_of((architecture, arrays)))
    root = math.sqrt(2)  # of the fan-in of the second layer
    close = lambda found, expected: np.testing.assert_allclose(found, expected, atol=2e-5)  # noqa: E731
    close(found.units[0][0], [np.arcsinh([3, -4]), np.log([3, 4]), np.arcsinh([0.5, 0]), np.log([root, 2 * root])])
    close(found.pairs[0][0], [np.arcsinh([[root, 2 * root]])])
    entered = np.log(math.sqrt((2 + 8) / 2))
    close(sorted(found.units[1][0, :, 0]), sorted([entered, np.arcsinh(-1), np.arcsinh(5), np.log(5)]))
    close(found.whole[0], [np.arcsinh(7), np.log(2), 0])


def test_models_are_found_again_and_those_of_no_chain_are_in_none() -> None:
    vit = Architecture(builder="vit", arguments=OTHERS["vit"])
    models = models_of(*[(each, drawn(each, np.ones(3))) for each in (cnn(2), vit, cnn(4))])
    order = np.random.default_rng(0).permutation(9)
    parts = chains(models[order])
    everything = np.concatenate([part.positions for part in parts])
    np.testing.assert_array_equal(np.sort(order[everything]), [0, 1, 2, 6, 7, 8])
    unshuffled = dict(zip((2, 4), chains(models), strict=True))
    for part in parts:
        size = part.units[0].shape[2]
        rows = order[part.positions] % 3
        np.testing.assert_array_equal(part.units[0], unshuffled[size].units[0][rows])


def test_padding_adds_units_that_are_not_there() -> None:
    narrow, wide = chains(models_of(*[(each, drawn(each, np.ones(3))) for each in (cnn(2), cnn(5))]))
    both = padded([narrow, wide])
    assert len(both) == 6
    assert both.structure == narrow.structure
    np.testing.assert_array_equal(both.whole, np.concatenate([narrow.whole, wide.whole]))
    for group, sizes in enumerate([(2, 5), (4, 10), (4, 10)]):
        np.testing.assert_array_equal(both.present[group].sum(1), np.repeat(sizes, 3))
        np.testing.assert_array_equal(both.units[group][:3, :, : sizes[0]], narrow.units[group])
        np.testing.assert_array_equal(both.units[group][3:], wide.units[group])
        assert not both.units[group][:3, :, sizes[0] :].any()
    assert not both.pairs[1][:3, :, 4:].any()
    assert not both.pairs[1][:3, :, :, 4:].any()
    np.testing.assert_array_equal(both.pairs[1][:3, :, :4, :4], narrow.pairs[1])


def test_only_one_structure_can_be_padded() -> None:
    parts = chains(models_of(*[(CHAINS[name], drawn(CHAINS[name], np.ones(1))) for name in ("cnn", "deep")]))
    with pytest.raises(EncodingError, match="one structure"):
        padded(parts)
    with pytest.raises(EncodingError, match="one structure"):
        padded([])


def test_weights_that_blew_up_are_numbers() -> None:
    tensors = drawn(cnn(2), np.ones(3))
    tensors["conv2.weight"][0, 0] = np.nan
    tensors["bn1.running_var"][1] = np.inf
    tensors["fc.weight"][2] = -3e38
    (found,) = chains(models_of((cnn(2), tensors)))
    assert all(np.isfinite(values).all() for values in (*found.units, *found.pairs, found.whole))


@pytest.mark.parametrize(("builder", "arguments"), OTHERS.items())
def test_branches_are_no_chain(builder: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArchitectureError, match="chains alone are covered"):
        chain_of(Architecture(builder=builder, arguments=arguments))


def test_widths_share_a_structure_and_nothing_else_does() -> None:
    structures = {name: chain_of(architecture).structure for name, architecture in CHAINS.items()}
    assert len(set(structures.values())) == len(structures)
    assert chain_of(cnn(14)).structure == structures["cnn"]
    wider = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [9], "out_features": 3})
    assert chain_of(wider).structure == structures["shallow"]
    more = Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [5], "out_features": 3})
    assert chain_of(more).structure != structures["shallow"]


def test_every_builder_is_a_chain_or_told_of() -> None:
    assert {each.builder for each in CHAINS.values()} | set(OTHERS) == set(BUILDERS)


def test_chains_are_public() -> None:
    assert {"chains", "chain_of", "padded", "Chain", "ChainFeatures"} <= set(encodings.__all__)
