"""Novelty is functional: copies have none, fresh seeds have 1, and repeating oneself is not diverse."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from wslbench.generation import disagreement, error_overlap, originality
from wslbench.generation.functional import _nearest_other

SAMPLES, CLASSES = 600, 10


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(0).integers(0, CLASSES, SAMPLES)


def networks(labels, count, seed, errors=0.1):
    """Independent networks that err on a tenth of the samples each."""
    random = np.random.default_rng(seed)
    wrong = random.random((count, SAMPLES)) < errors
    return np.where(wrong, random.integers(0, CLASSES, (count, SAMPLES)), labels)


def test_disagreement_by_hand():
    one = np.array([[0, 1, 2, 3], [0, 0, 0, 0]])
    other = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [0, 1, 1, 1]])
    assert np.array_equal(disagreement(one, other), [[0, 1, 0.5], [0.75, 0.75, 0.75]])
    with pytest.raises(ValueError, match="those of 3"):
        disagreement(one, other[:, :3])


def test_disagreement_is_that_of_a_plain_loop(labels):
    one, other = networks(labels, 7, 1), networks(labels, 5, 2)
    expected = [[np.mean(a != b) for b in other] for a in one]
    np.testing.assert_allclose(disagreement(one, other), expected, atol=1e-6)


def test_error_overlap_by_hand():
    labels = np.array([0, 0, 0, 0])
    one = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    other = np.array([[2, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(error_overlap(one, other, labels), [1 / 3, 1, 0])


def test_fresh_seeds_have_one_and_copies_nothing(labels):
    train, held_out, fresh = (networks(labels, count, seed) for seed, count in ((1, 192), (2, 64), (3, 64)))
    real = originality(held_out, train, held_out)
    assert real.novelty.mean() == pytest.approx(1)
    assert real.diversity.mean() == pytest.approx(1)
    assert real.distinct.mean() <= 1
    found = originality(fresh, train, held_out)
    assert found.novelty.mean() == pytest.approx(1, abs=0.05)
    assert found.diversity.mean() == pytest.approx(1, abs=0.05)
    copies = originality(train[:64], train, held_out)
    assert (copies.novelty == 0).all()
    assert np.array_equal(copies.nearest, np.arange(64))
    assert copies.diversity.mean() == pytest.approx(1, abs=0.05)


def test_one_network_many_times_is_not_diverse(labels):
    train, held_out = networks(labels, 192, 1), networks(labels, 64, 2)
    found = originality(np.repeat(networks(labels, 1, 3), 64, axis=0), train, held_out)
    assert found.novelty.mean() > 0.8
    assert (found.diversity == 0).all()
    assert (found.distinct == 0).all()


def test_diversity_does_not_depend_on_how_many_are_drawn(labels):
    """The nearest of many is nearer than that of few: held-out networks are counted as many as there are drawn."""
    train, held_out = networks(labels, 50, 1), networks(labels, 64, 2)
    means = [
        np.mean([originality(networks(labels, n, seed), train, held_out).diversity.mean() for seed in range(5, 25)])
        for n in (4, 16, 64)
    ]
    assert means == pytest.approx([1, 1, 1], abs=0.04)


def test_the_expected_nearest_is_that_of_all_choices():
    random = np.random.default_rng(0)
    distances = random.random((6, 6))
    distances = distances + distances.T
    np.fill_diagonal(distances, 0)
    for size in (2, 3, 4, 6):
        expected = []
        for row in range(6):
            others = [distances[row, column] for column in range(6) if column != row]
            expected.append(np.mean([min(chosen) for chosen in combinations(others, size - 1)]))
        np.testing.assert_allclose(_nearest_other(distances, size), expected)


def test_without_a_unit_there_is_no_novelty(labels):
    one = networks(labels, 3, 1)
    with pytest.raises(ValueError, match="no unit"):
        originality(one, one, one)
    with pytest.raises(ValueError, match="at least two"):
        originality(one, one, one[:1])
    with pytest.raises(ValueError, match="train networks"):
        originality(one, one[:0], one)
