"""Chance scores as chance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from tests.baselines.made import PHASES, Population, make_method


def test_phases_that_were_seen_get_the_same_probability(population: Population) -> None:
    method = make_method("chance")
    target = np.array(["I"] * 3 + ["IV-B"] * 1, dtype=object)
    method.fit(population.models[:4], target, population.context("chance", classify=True, rows=slice(4)))
    np.testing.assert_array_equal(method.predict(population.models[:2]), [[0.5, 0, 0, 0, 0.5]] * 2)


def test_balanced_accuracy_is_one_over_the_number_of_phases(population: Population) -> None:
    method = make_method("chance")
    method.fit(population.models, population.phases, population.context("chance", classify=True))
    guess = np.array(PHASES)[method.predict(population.models).argmax(axis=1)]
    assert balanced_accuracy_score(population.phases.astype(str), guess) == pytest.approx(1 / len(PHASES))


def test_values_get_the_mean_of_the_train_models(population: Population) -> None:
    method = make_method("chance")
    method.fit(population.models, population.values, population.context("chance", classify=False))
    np.testing.assert_allclose(method.predict(population.models[:3]), [population.values.mean()] * 3)
