"""Weight matching undoes permutations, and finds what trying all of them finds."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.architectures.cases import architecture
from tests.symmetry.networks import ARCHITECTURES, largest_change, outputs, weights
from wslbench.architectures import Architecture
from wslbench.errors import ArchitectureError
from wslbench.symmetry import Elements, align, apply, random, symmetries

each_architecture = pytest.mark.parametrize("described", ARCHITECTURES.values(), ids=ARCHITECTURES)


def product(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> float:
    return sum(float((first[name] * second[name]).sum()) for name in first)


@each_architecture
def test_a_permuted_network_is_brought_back(described: Architecture) -> None:
    group = symmetries(described)
    reference = weights(described, group, 3)
    moved = apply(group, random(group, 3, seed=1, scaling=False), reference)
    back = apply(group, align(group, moved, reference), moved)
    assert largest_change(back, reference) == 0


@each_architecture
def test_a_permuted_and_scaled_network_is_brought_back(described: Architecture) -> None:
    group = symmetries(described)
    reference = weights(described, group, 3)
    moved = apply(group, random(group, 3, seed=1), reference)
    back = apply(group, align(group, moved, reference, scaling=True), moved)
    for name, tensor in reference.items():
        np.testing.assert_allclose(back[name], tensor, rtol=1e-7, atol=1e-9)


@each_architecture
def test_other_networks_come_nearer_and_keep_their_functions(described: Architecture) -> None:
    group = symmetries(described)
    reference, others = weights(described, group, 1), weights(described, group, 4, seed=9)
    aligned = apply(group, align(group, others, reference), others)
    for row in range(4):
        before, after = ({name: tensor[row : row + 1] for name, tensor in each.items()} for each in (others, aligned))
        assert product(after, reference) > product(before, reference)
    expected = outputs(described, others)
    np.testing.assert_allclose(outputs(described, aligned), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_one_layer_is_matched_as_well_as_by_trying_every_permutation() -> None:
    described = architecture("mlp", in_features=3, hidden=[5], out_features=2)
    group = symmetries(described)
    reference, others = weights(described, group, 1), weights(described, group, 1, seed=3)
    every = np.array(list(permutations(range(5))))
    repeated = {name: np.repeat(tensor, len(every), 0) for name, tensor in others.items()}
    tried = apply(group, Elements(every, np.ones((len(every), 5))), repeated)
    best = max(product({name: tensor[[row]] for name, tensor in tried.items()}, reference) for row in range(len(every)))
    assert product(apply(group, align(group, others, reference), others), reference) == pytest.approx(best)


def test_heads_and_their_units_are_matched_as_well_as_by_trying_every_exchange() -> None:
    """One block of two heads of two units: queries with keys, and values, inside either order of the heads."""
    described = architecture("vit", dim=4, depth=1, heads=2, image_size=8, mlp_ratio=1)
    group = symmetries(described)
    reference, others = weights(described, group, 1), weights(described, group, 1, seed=4)
    aligned = align(group, others, reference)
    heads = next(number for number in range(len(group.orbits)) if group.held[number])
    score = product(apply(group, aligned, others), reference)
    tried = []
    for order in permutations(range(2)):
        for swaps in np.ndindex(2, 2, 2, 2):
            source = aligned.source.copy()
            exchange = np.arange(group.units)
            exchange[group.orbits[heads].units[0]] = group.orbits[heads].units[0][list(order)]
            for held, swapped in zip(group.held[heads], (swaps[:2], swaps[2:]), strict=True):
                units = group.orbits[held].units
                for place in range(2):
                    row = units[order[place]]
                    exchange[units[place]] = row[::-1] if swapped[place] else row
            source = source[:, exchange]
            tried.append(product(apply(group, Elements(source, aligned.scales), others), reference))
    assert len(tried) == 32
    assert score == pytest.approx(max(tried))


def test_references_are_one_or_one_a_model() -> None:
    described = architecture("cnn", width=2)
    group = symmetries(described)
    with pytest.raises(ArchitectureError, match="there are 2 reference models: give one, or one for each of 3 models"):
        align(group, weights(described, group, 3), weights(described, group, 2))


def test_only_what_is_compared_counts() -> None:
    """Networks whose biases are swapped and whose weights are not: by weights they are aligned, by biases not."""
    described = architecture("mlp", in_features=3, hidden=[2], out_features=2, activation="relu")
    group = symmetries(described)
    reference = weights(described, group, 1)
    reference["layers.0.bias"] = np.array([[50.0, -50.0]])
    others = reference | {"layers.0.bias": np.array([[-50.0, 50.0]])}
    stay, swap = np.array([[0, 1]]), np.array([[1, 0]])
    names = ["layers.0.weight", "layers.1.weight"]
    np.testing.assert_array_equal(align(group, others, reference, compared=names).source, stay)
    np.testing.assert_array_equal(align(group, others, reference).source, swap)


@each_architecture
def test_networks_that_are_not_finite_are_left_alone(described: Architecture) -> None:
    group = symmetries(described)
    reference = weights(described, group, 3)
    moved = apply(group, random(group, 3, seed=1, scaling=False), reference)
    name = next(iter(group.shapes))
    moved[name][0].flat[0], reference[name][1].flat[0] = np.nan, np.inf
    for scaling in (False, True):
        found = align(group, moved, reference, scaling=scaling)
        np.testing.assert_array_equal(found.source[:2], np.tile(np.arange(group.units), (2, 1)))
        np.testing.assert_array_equal(found.scales[:2], 1)
        assert (found.source[2] != np.arange(group.units)).any()
