"""Lift: real networks have 1, cheats none, and mixing, repeating or noise do not help."""

from __future__ import annotations

import numpy as np
import pytest

from wslbench.generation import originality
from wslbench.generation.lift import Draw, envelope_of, lift_of

SAMPLES, CLASSES = 600, 10


@pytest.fixture(scope="module")
def world():
    """Networks as predicted classes: real seeds err on a tenth of the samples, half of them hard ones for all."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, SAMPLES)
    hard = random.random(SAMPLES) < 0.1

    def real(count, seed):
        own = np.random.default_rng(seed)
        wrong = own.random((count, SAMPLES)) < np.where(hard, 0.5, 0.05)
        return np.where(wrong, own.integers(0, CLASSES, (count, SAMPLES)), labels)

    def noisy(networks, share, seed):
        own = np.random.default_rng(seed)
        changed = own.random(networks.shape) < share
        return np.where(changed, own.integers(0, CLASSES, networks.shape), networks)

    train, held_out = real(192, 1), real(64, 2)

    def draw(classes):
        found = originality(classes, train, held_out)
        return Draw(found.distinct, (classes == labels).mean(axis=1), found.nearest)

    comparators = {"retrieval": draw(train[:64])} | {
        f"noise {share}": draw(noisy(train[:64], share, 3)) for share in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
    }
    return {"real": real, "noisy": noisy, "train": train, "draw": draw, "held": draw(held_out), "c": comparators}


def lift(world, classes):
    return lift_of(world["draw"](classes), world["held"], world["c"], seed=0)


def test_real_seeds_have_a_lift_of_one(world):
    assert lift_of(world["held"], world["held"], world["c"], 0).value == pytest.approx(1)
    found = lift(world, world["real"](64, 9))
    assert found.low < 1 < found.high
    assert found.high - found.low < 0.5
    assert found.standing == "in range"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.03, 0.15, 0.6])
def test_copies_with_any_noise_have_none(world, share):
    found = lift(world, world["noisy"](world["train"][64:128], share, 5))
    assert found.low < 0.1
    assert found.value < 0.15


def test_half_copies_and_half_noise_have_none(world):
    half = np.concatenate([world["train"][:32], world["noisy"](world["train"][32:64], 0.6, 5)])
    assert lift(world, half).value < 0.15


def test_one_good_network_many_times_has_none(world):
    fresh = np.repeat(world["real"](1, 11), 64, axis=0)
    assert lift(world, fresh).standing == "few sources"
    assert np.isnan(lift(world, fresh).value)
    many = np.repeat(world["real"](32, 11), 2, axis=0)
    assert lift(world, many).low < 0.15


def test_random_networks_have_none(world):
    random = np.random.default_rng(4).integers(0, CLASSES, (64, SAMPLES))
    found = lift(world, random)
    assert found.standing == "out of range" or found.value < 0.15


def test_better_than_the_comparators_and_worse_than_real_lies_between(world):
    half = lift(world, world["noisy"](world["real"](64, 9), 0.03, 6))
    assert 0.1 < half.value < 1


def test_outside_the_comparators_range_there_is_no_lift(world):
    some = {name: world["c"][name] for name in ("retrieval", "noise 0.02")}
    found = lift_of(world["held"], world["held"], some, 0)
    assert found.standing == "out of range"
    assert np.isnan([found.value, found.low, found.high]).all()


def test_the_interval_is_seeded_and_covers_other_draws_of_the_same_networks(world):
    draws = [world["real"](64, seed) for seed in range(20, 40)]
    assert lift(world, draws[0]) == lift(world, draws[0])
    first = lift(world, draws[0])
    inside = [first.low <= lift(world, each).value <= first.high for each in draws]
    assert np.mean(inside) > 0.6


def test_the_envelope_is_that_of_the_means(world):
    envelope = envelope_of(world["c"])
    assert envelope.novelty[0] == 0
    assert all(envelope.at(each.novelty.mean()) >= each.accuracy.mean() - 1e-12 for each in world["c"].values())


def test_an_empty_draw_is_refused():
    with pytest.raises(ValueError, match="at least one network"):
        Draw(np.array([]), np.array([]), np.array([], int))
    with pytest.raises(ValueError, match="one accuracy and one source a network"):
        Draw(np.zeros(3), np.zeros(2), np.zeros(3, int))
