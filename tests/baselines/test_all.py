"""What holds for every baseline: shapes, determinism, independence of company, and what it learns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.model_selection import GroupKFold

from tests.baselines.made import METHODS, PHASES, Population, make_method, make_population, predict
from tests.zoos import make_tiny_zoo

EVERY = pytest.mark.parametrize("name", METHODS)
BOTH = pytest.mark.parametrize("classify", [True, False], ids=["phase", "value"])


def fitted(name: str, population: Population, *, classify: bool, seed: int = 0, rows=slice(None), epochs=2):
    method = make_method(name, epochs=epochs)
    context = population.context(name, classify=classify, seed=seed, rows=rows)
    method.fit(population.models[rows], population.target(classify=classify)[rows], context)
    return method


@pytest.fixture(scope="module")
def fitted_once(population: Population) -> Callable[[str, bool], Any]:
    """Methods fit with seed 0 on the whole population; tests that only predict share them."""
    return cache(lambda name, classify: fitted(name, population, classify=classify))


@EVERY
@BOTH
def test_predictions_have_the_shape_that_the_task_asks_for(
    name: str, classify: bool, population: Population, fitted_once: Callable[[str, bool], Any]
) -> None:
    prediction = predict(name, fitted_once(name, classify), population)
    assert np.isfinite(prediction).all()
    if classify:
        assert prediction.shape == (len(population.models), len(PHASES))
        assert (prediction >= 0).all()
        np.testing.assert_allclose(prediction.sum(axis=1), 1)
    else:
        assert prediction.shape == (len(population.models),)


@EVERY
@BOTH
def test_the_same_seed_gives_the_same_predictions(
    name: str, classify: bool, population: Population, fitted_once: Callable[[str, bool], Any]
) -> None:
    first = predict(name, fitted_once(name, classify), population)
    second = predict(name, fitted(name, population, classify=classify), population)
    np.testing.assert_array_equal(first, second)


@EVERY
@BOTH
def test_a_prediction_depends_on_its_own_model_alone(
    name: str, classify: bool, population: Population, fitted_once: Callable[[str, bool], Any]
) -> None:
    method = fitted_once(name, classify)
    together = predict(name, method, population)
    chunk = np.array([40, 3, 17])
    np.testing.assert_allclose(predict(name, method, population, chunk), together[chunk], rtol=1e-6)
    np.testing.assert_allclose(predict(name, method, population, [11])[0], together[11], rtol=1e-6)


@pytest.mark.parametrize("name", ["hyperparameters", "decoded_hyperparameters", "spectral", "weight_statistics"])
def test_what_a_population_shows_is_learned(name: str) -> None:
    """On cells that the fit never saw, clearly above chance (τ 0, one phase in five)."""
    population = make_population((2, 3, 4, 6, 8), rates=8)
    ranks, hits = [], []
    for train, test in GroupKFold(3, shuffle=True, random_state=0).split(population.values, groups=population.groups):
        value = predict(name, fitted(name, population, classify=False, rows=train), population, test)
        ranks.append(kendalltau(value, population.values[test]).statistic)
        phase = predict(name, fitted(name, population, classify=True, rows=train), population, test)
        hits.append(np.array(PHASES, dtype=object)[phase.argmax(axis=1)] == population.phases[test])
    assert np.mean(ranks) > 0.6
    assert np.mean(np.concatenate(hits)) > 0.4


@EVERY
def test_a_phase_that_training_lacks_gets_no_column_of_its_own_out_of_place(name: str, population: Population) -> None:
    rows = np.flatnonzero(population.phases != "III")
    prediction = predict(name, fitted(name, population, classify=True, rows=rows), population)
    assert prediction.shape == (len(population.models), len(PHASES))
    assert (prediction[:, PHASES.index("III")] < 0.05).all()


@EVERY
@BOTH
def test_one_cell_is_enough_to_fit(name: str, classify: bool, population: Population) -> None:
    rows = np.flatnonzero(population.groups == population.groups[0])
    assert np.isfinite(predict(name, fitted(name, population, classify=classify, rows=rows), population)).all()


@EVERY
def test_it_runs_on_a_zoo_that_was_read_from_disk(name: str, tmp_path) -> None:
    zoo = make_tiny_zoo(tmp_path / "tiny")
    rows = zoo.table.query("measured")
    population = Population(
        zoo.models(rows.index),
        rows["phase"].to_numpy(dtype=object),
        rows["test_accuracy"].to_numpy(),
        rows["cell_id"].astype("category").cat.codes.to_numpy(dtype=np.int64),
        rows[["width", "learning_rate"]].set_axis(["load", "temperature"], axis=1).reset_index(drop=True),
    )
    assert np.isfinite(predict(name, fitted(name, population, classify=False), population)).all()


@pytest.mark.parametrize("name", ["architecture_only", "hyperparameters", "decoded_hyperparameters"])
def test_no_cell_is_torn_apart_inside_a_fit(name: str, population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = GroupKFold.split

    def recording(self, features, labels=None, groups=None):
        for train, test in original(self, features, labels, groups):
            assert not set(groups[train]) & set(groups[test])
            seen.append(sorted(set(groups)))
            yield train, test

    monkeypatch.setattr(GroupKFold, "split", recording)
    fitted(name, population, classify=True)
    assert seen
    assert all(groups == sorted(set(population.groups)) for groups in seen)
