"""The oracle knows load and temperature, by its flag alone, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.baselines.made import Population, cnn, load_baseline, make_method, make_models, real_network
from wslbench.architectures import Architecture
from wslbench.typing import Context
from wslbench.zoo import Models, Source


def unreadable(count: int) -> Models:
    def refuse() -> dict[str, np.ndarray]:
        raise AssertionError("weights were read")

    source = Source("sealed", Architecture(builder="cnn", arguments={"width": 2}), refuse)
    ids = np.array([str(number) for number in range(count)], dtype=object)
    return Models(ids, [source], np.zeros(count, np.intp), np.arange(count))


def test_weights_are_never_read(population: Population) -> None:
    models = unreadable(len(population.models))
    method = make_method("hyperparameters")
    method.fit(models, population.phases, population.context("hyperparameters", classify=True))
    assert len(method.predict(models[:5], population.hyperparameters.iloc[:5])) == 5


@pytest.mark.parametrize("name", ["hyperparameters", "decoded_hyperparameters"])
def test_without_its_privilege_it_refuses(name: str, population: Population) -> None:
    context: Context = population.context("chance", classify=False)  # of a method without privilege
    assert context.hyperparameters is None
    with pytest.raises(ValueError, match="was not given"):
        make_method(name).fit(population.models, population.values, context)


def test_it_interpolates_a_smooth_target_nearly_exactly(population: Population) -> None:
    rows = np.flatnonzero(~np.isin(population.groups, [8, 15]))  # two cells inside the grid are held out
    held = np.flatnonzero(np.isin(population.groups, [8, 15]))
    method = make_method("hyperparameters")
    method.fit(
        population.models[rows],
        population.values[rows],
        population.context("hyperparameters", classify=False, rows=rows),
    )
    prediction = method.predict(population.models[held], population.hyperparameters.iloc[held])
    np.testing.assert_allclose(prediction, population.values[held], atol=0.15)  # over a range of 4.5


def test_the_gaussian_process_sees_a_cell_once(population: Population) -> None:
    module = load_baseline("hyperparameters")
    position = module.positions(population.hyperparameters)
    columns = population.values[:, None]
    order = np.argsort(population.groups, kind="stable")
    first = order[::3]  # three seeds a cell
    means = population.values[order].reshape(-1, 3).mean(axis=1)[:, None]
    by_seed = module.gaussian_process(position, columns, population.groups, 0)
    by_cell = module.gaussian_process(position[first], means, population.groups[first], 0)
    np.testing.assert_allclose(by_seed(position), by_cell(position), rtol=1e-3)


def test_decoded_values_are_as_noisy_in_training_as_they_will_be_later() -> None:
    """Features that say nothing decode to nothing, although a regressor could learn the train models by heart."""
    module = load_baseline("decoded_hyperparameters")
    random = np.random.default_rng(0)
    groups = np.arange(40).repeat(3)
    # Siblings resemble each other, as seeds of a cell do: within-cell validation would look excellent.
    features = random.normal(size=(40, 6)).repeat(3, axis=0) + 0.01 * random.normal(size=(120, 6))
    truth = random.normal(size=40).repeat(3)
    context = Context(
        task=None,  # type: ignore[arg-type]
        classes=(),
        groups=groups,
        seed=0,
        device="cpu",
        deadline=float("inf"),
    )
    _, decoded = module.fit_decoder(features, truth, context)
    by_heart = module.trees(features, truth, 0)(features)
    assert np.corrcoef(by_heart, truth)[0, 1] > 0.8
    assert abs(np.corrcoef(decoded, truth)[0, 1]) < 0.4


def test_decoding_recovers_the_position(population: Population) -> None:
    method = make_method("decoded_hyperparameters")
    method.fit(population.models, population.values, population.context("decoded_hyperparameters", classify=False))
    random = np.random.default_rng(9)
    models = make_models({"w3": real_network(random, cnn(3), np.full(4, 0.5 + np.log10(0.05 / 0.001)))})
    features = method._align(load_baseline("decoded_hyperparameters").describe(models))
    load, temperature = (np.exp(np.mean(decode(features))) for decode in method._decoders)
    np.testing.assert_allclose(load, 3, rtol=0.2)
    np.testing.assert_allclose(temperature, 0.05, rtol=0.5)  # of a range of 30
