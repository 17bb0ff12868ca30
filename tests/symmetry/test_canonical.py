"""Canonical form: the same for all networks that differ by a symmetry, and not for others."""

from __future__ import annotations

import numpy as np
import pytest

from tests.architectures.cases import architecture
from tests.symmetry.networks import ARCHITECTURES, largest_change, outputs, weights
from wslbench.architectures import Architecture
from wslbench.symmetry import apply, canonicalise, random, symmetries

each_architecture = pytest.mark.parametrize("described", ARCHITECTURES.values(), ids=ARCHITECTURES)


@each_architecture
@pytest.mark.parametrize("kind", ["permutation", "scaling", "both"])
def test_folds_out_what_it_says(described: Architecture, kind: str) -> None:
    group = symmetries(described)
    kinds = {"permutation": kind != "scaling", "scaling": kind != "permutation"}
    before = weights(described, group, 3)
    moved = apply(group, random(group, 3, seed=1, **kinds), before)
    first = apply(group, canonicalise(group, before, **kinds), before)
    second = apply(group, canonicalise(group, moved, **kinds), moved)
    for name, tensor in first.items():
        np.testing.assert_allclose(second[name], tensor, rtol=1e-7, atol=1e-9, err_msg=name)


@each_architecture
def test_keeps_functions_and_is_reached_at_once(described: Architecture) -> None:
    group = symmetries(described)
    before = weights(described, group, 3)
    once = apply(group, canonicalise(group, before), before)
    expected = outputs(described, before)
    np.testing.assert_allclose(outputs(described, once), expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    twice = apply(group, canonicalise(group, once), once)
    for name, tensor in once.items():
        np.testing.assert_allclose(twice[name], tensor, rtol=1e-9, atol=1e-12)
    assert largest_change({name: tensor[:1] for name, tensor in once.items()},
                          {name: tensor[1:2] for name, tensor in once.items()}) > 0.1  # fmt: skip


def test_by_hand() -> None:
    """ReLU: rows of norm 1 with their bias, in order of their first number; the next layer makes up for it."""
    described = architecture("mlp", in_features=2, hidden=[2], out_features=1, activation="relu")
    group = symmetries(described)
    tensors = {
        "layers.0.weight": np.array([[[4.0, 0.0], [-2.0, 1.0]]]),
        "layers.0.bias": np.array([[3.0, 2.0]]),
        "layers.1.weight": np.array([[[7.0, 11.0]]]),
    }
    found = apply(group, canonicalise(group, tensors), tensors)
    np.testing.assert_allclose(found["layers.0.weight"][0], [[-2 / 3, 1 / 3], [0.8, 0.0]])
    np.testing.assert_allclose(found["layers.0.bias"][0], [2 / 3, 0.6])
    np.testing.assert_allclose(found["layers.1.weight"][0], [[33.0, 35.0]])


def test_units_without_weights_do_no_harm() -> None:
    described = architecture("cnn", width=3)
    group = symmetries(described)
    tensors = weights(described, group, 1)
    for name in ("conv1.weight", "bn1.weight", "bn1.bias"):
        tensors[name][0, 1:] = 0  # two of three channels are dead
    found = apply(group, canonicalise(group, tensors), tensors)
    assert all(np.isfinite(tensor).all() for tensor in found.values())
    np.testing.assert_allclose(outputs(described, found), outputs(described, tensors), atol=1e-9)
