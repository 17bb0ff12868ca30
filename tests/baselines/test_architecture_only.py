"""Shapes, and no values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.baselines.made import Population, cnn, make_method, make_models, real_network


def forbidden(*arguments: object) -> None:
    raise AssertionError("a tensor's values were read")


def test_no_value_is_read(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    from wslbench.zoo import Model, Stack

    monkeypatch.setattr(Stack, "__getitem__", forbidden)
    for reader in ("tensors", "state_dict", "module"):
        monkeypatch.setattr(Model, reader, forbidden)
    method = make_method("architecture_only")
    method.fit(population.models, population.values, population.context("architecture_only", classify=False))
    assert len(method.predict(population.models)) == len(population.models)


def test_other_weights_in_the_same_shapes_get_the_same_predictions(population: Population) -> None:
    method = make_method("architecture_only")
    method.fit(population.models, population.values, population.context("architecture_only", classify=False))
    here, there = (
        make_models({"w3": real_network(np.random.default_rng(seed), cnn(3), np.full(4, scale))})
        for seed, scale in ((0, 1.0), (1, 50.0))
    )
    np.testing.assert_array_equal(method.predict(here), method.predict(there))


def test_a_target_that_only_width_decides_is_read_off_the_shapes(population: Population) -> None:
    load = population.hyperparameters["load"].to_numpy()
    method = make_method("architecture_only")
    method.fit(population.models, load, population.context("architecture_only", classify=False))
    np.testing.assert_allclose(method.predict(population.models), load, rtol=0.05)


def test_an_unseen_width_is_answered_by_its_neighbours(population: Population) -> None:
    module_stack = {"w5": real_network(np.random.default_rng(0), cnn(5), np.ones(2))}
    method = make_method("architecture_only")
    load = population.hyperparameters["load"].to_numpy()
    method.fit(population.models, load, population.context("architecture_only", classify=False))
    assert ((method.predict(make_models(module_stack)) >= 3) & (method.predict(make_models(module_stack)) <= 6)).all()
