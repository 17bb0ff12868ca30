"""Elements form a group, and act on stacks as one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.architectures.cases import architecture
from tests.symmetry.networks import ARCHITECTURES, weights
from wslbench.architectures import Architecture
from wslbench.errors import ArchitectureError
from wslbench.symmetry import Elements, apply, compose, identity, inverse, random, symmetries

each_architecture = pytest.mark.parametrize("described", ARCHITECTURES.values(), ids=ARCHITECTURES)


def assert_equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    for name, tensor in first.items():
        np.testing.assert_allclose(tensor, second[name], rtol=1e-9, atol=1e-12, err_msg=name)


@each_architecture
def test_group_laws(described: Architecture) -> None:
    group = symmetries(described)
    before = weights(described, group, 3)
    first, second = random(group, 3, seed=1), random(group, 3, seed=2)
    assert_equal(apply(group, identity(group, 3), before), before)
    assert_equal(apply(group, inverse(group, first), apply(group, first, before)), before)
    one_by_one = apply(group, second, apply(group, first, before))
    assert_equal(apply(group, compose(group, first, second), before), one_by_one)
    back = compose(group, first, inverse(group, first))
    np.testing.assert_array_equal(back.source, identity(group, 3).source)
    np.testing.assert_allclose(back.scales, 1)


def test_a_permutation_by_hand() -> None:
    """Three hidden units: rows of the first layer and its bias, columns of the second."""
    described = architecture("mlp", in_features=2, hidden=[3], out_features=2, activation="relu")
    group = symmetries(described)
    tensors = weights(described, group, 1)
    moved = apply(group, Elements(np.array([[2, 0, 1]]), np.array([[2.0, 4.0, 8.0]])), tensors)
    scales = np.array([2.0, 4.0, 8.0])
    np.testing.assert_allclose(
        moved["layers.0.weight"][0], (tensors["layers.0.weight"][0] * scales[:, None])[[2, 0, 1]]
    )
    np.testing.assert_allclose(moved["layers.0.bias"][0], (tensors["layers.0.bias"][0] * scales)[[2, 0, 1]])
    np.testing.assert_allclose(moved["layers.1.weight"][0], (tensors["layers.1.weight"][0] / scales)[:, [2, 0, 1]])


def test_random_permutations_are_uniform_and_follow_their_seed() -> None:
    group = symmetries(architecture("mlp", in_features=2, hidden=[3], out_features=1))
    drawn = random(group, 6000, seed=5)
    _, counts = np.unique(drawn.source, axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 850  # 1000 expected, standard deviation 29
    np.testing.assert_array_equal(drawn.source, random(group, 6000, seed=5).source)
    assert (drawn.source != random(group, 6000, seed=6).source).any()
    assert set(np.unique(drawn.scales)) == {-1.0, 1.0}


def test_heads_move_as_wholes() -> None:
    group = symmetries(ARCHITECTURES["vit with four heads"])
    heads = next(number for number, orbit in enumerate(group.orbits) if group.held[number])
    source = random(group, 50, seed=0).source
    order = source[:, group.orbits[heads].units[0]] - group.orbits[heads].units.min()
    assert len(np.unique(order, axis=0)) > 15
    for held in group.held[heads]:
        units = group.orbits[held].units
        came_from = np.array([[np.flatnonzero((units == unit).any(1))[0] for unit in row] for row in
                              source[:, units].reshape(50, -1)]).reshape(50, *units.shape)  # fmt: skip
        np.testing.assert_array_equal(came_from, np.broadcast_to(order[:, :, None], came_from.shape))


def test_other_tensors_pass_and_inputs_stay() -> None:
    described = architecture("cnn", width=2)
    group = symmetries(described)
    tensors = {**weights(described, group, 2), "fc.bias": np.ones((2, 10))}
    copies = {name: tensor.copy() for name, tensor in tensors.items()}
    moved = apply(group, random(group, 2, seed=0), tensors)
    assert moved["fc.bias"] is tensors["fc.bias"]
    assert_equal(tensors, copies)


def test_stacks_of_something_else_are_refused() -> None:
    described = architecture("cnn", width=2)
    group = symmetries(described)
    tensors = weights(described, group, 2)
    with pytest.raises(ArchitectureError, match=r"tensor 'conv1.weight' is missing.*\(models, 2, 1, 3, 3\)"):
        apply(group, identity(group, 2), {"fc.bias": np.ones((2, 10))})
    with pytest.raises(ArchitectureError, match=r"tensor 'fc.weight' is of shape \(2, 10, 9\)"):
        apply(group, identity(group, 2), {**tensors, "fc.weight": np.ones((2, 10, 9))})
    with pytest.raises(ArchitectureError, match="holds 2 models, but 3 are expected"):
        apply(group, identity(group, 3), tensors)
