"""Comparators do what their names say."""

from __future__ import annotations

import numpy as np
import pytest

import wslbench
from wslbench.architectures import Architecture
from wslbench.generation.comparators import averaged, gaussian, noisy, retrieved
from wslbench.symmetry import apply, random, symmetries

DESCRIBED = Architecture(builder="cnn", arguments={"width": 3})


@pytest.fixture(scope="module")
def tensors():
    zoo = wslbench.load_zoo("digits-cnn")
    (stack,) = zoo.models(zoo.table.query("measured and width == 3").index[:12]).by_architecture()
    return {name: stack[name] for name in stack.keys()}  # noqa: SIM118


def generator():
    return np.random.default_rng(0)


def test_retrieval_gives_every_network_before_any_twice(tensors):
    drawn = retrieved(tensors, 12, generator())["conv1.weight"]
    assert {row.tobytes() for row in drawn} == {row.tobytes() for row in tensors["conv1.weight"]}
    more = retrieved(tensors, 30, generator())["conv1.weight"]
    _, counts = np.unique([row.tobytes() for row in more], return_counts=True)
    assert sorted(set(counts)) == [2, 3]


def test_noise_has_the_size_that_is_asked_for(tensors):
    for scale in (0.0, 0.1, 2.0):
        drawn, kept = noisy(tensors, scale, 12, generator()), retrieved(tensors, 12, generator())
        for name in ("conv2.weight", "conv3.weight"):
            added, size = (np.square(each).sum((1, 2, 3)) for each in (drawn[name] - kept[name], kept[name]))
            np.testing.assert_allclose(np.sqrt(added / size).mean(), scale, rtol=0.1, atol=1e-6)
        assert np.array_equal(drawn["bn1.running_var"], kept["bn1.running_var"])


def test_averages_of_disguised_copies_are_the_network_itself(tensors):
    group = symmetries(DESCRIBED)
    one = {name: np.repeat(tensor[:1], 6, axis=0) for name, tensor in tensors.items()}
    moved = apply(group, random(group, 6, 3), one)
    moved = {name: np.asarray(tensor) for name, tensor in moved.items()}
    assert not np.allclose(moved["conv1.weight"][0], moved["conv1.weight"][1])
    drawn = averaged(group, moved, 3, 6, generator())
    first = retrieved(moved, 6, generator())
    for name, tensor in first.items():
        np.testing.assert_allclose(drawn[name], tensor, rtol=1e-3, atol=1e-4)


def test_a_gaussian_has_the_networks_moments(tensors):
    drawn = gaussian(tensors, 4000, generator())
    for name in ("conv1.weight", "bn2.bias"):
        np.testing.assert_allclose(drawn[name].mean(0), tensors[name].mean(0), atol=0.1)
        np.testing.assert_allclose(drawn[name].std(0), tensors[name].std(0), rtol=0.1, atol=1e-3)


def test_a_gaussian_of_aligned_networks_is_narrower(tensors):
    wide = gaussian(tensors, 500, generator())
    narrow = gaussian(tensors, 500, generator(), symmetries(DESCRIBED))
    spread = [sum(tensor.var(0).sum() for name, tensor in each.items() if "conv" in name) for each in (narrow, wide)]
    assert spread[0] < 0.9 * spread[1]
