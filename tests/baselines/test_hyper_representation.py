"""The hyper-representation reconstructs, reads networks of any width, and makes new ones with noise of their own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.architectures.cases import CASES
from tests.baselines.made import cnn, load_baseline, make_models, real_network
from tests.encodings.test_graphs import random_models
from wslbench import Models, symmetry
from wslbench.evaluation.synthetic import synthetic_unit
from wslbench.evaluation.unit import Unit
from wslbench.typing import Context, TaskInfo
from wslbench.zoo.template import template

hyper = load_baseline("hyper_representation")
PHASES, VALUES = (synthetic_unit(kind, "made up") for kind in ("phase_classification", "accuracy_prediction"))


def settings_for(epochs: int, **others: Any) -> Any:
    settings = hyper.Settings(**{"fine_tuning": 0, "variants": 2, **others})
    return settings._replace(schedule=settings.schedule._replace(epochs=epochs))


def fitted(unit: Unit, epochs: int = 2, seed: int = 0, **settings: Any) -> Any:
    method = hyper.HyperRepresentation(settings_for(epochs, **settings))
    cells = np.unique(unit.train.cells, return_inverse=True)[1]
    context = Context(unit.task, unit.classes, cells, seed, "cpu", math.inf)
    target = np.array(unit.classes, dtype=object)[unit.target] if unit.classes else unit.target
    method.fit(unit.train.models, target, context)
    return method


@pytest.fixture(scope="module")
def method() -> Any:
    return fitted(VALUES)


def levels(unit: Unit) -> np.ndarray:
    """What made each test model: cells go round the phases."""
    return np.array([int(cell.rpartition("-")[2]) % 5 for cell in unit.test.cells])


@pytest.mark.slow
def test_it_learns_from_cells_that_it_never_saw() -> None:
    method = fitted(PHASES, epochs=6)
    prediction = method.predict(PHASES.test.models)
    np.testing.assert_allclose(prediction.sum(1), 1)
    assert (prediction.argmax(1) == levels(PHASES)).mean() > 0.4  # one in five is chance
    assert method.parameters > 1000


def test_fine_tuning_and_the_probe_answer_together(method: Any) -> None:
    models = VALUES.test.models[:6]
    told = fitted(VALUES, fine_tuning=2)
    (frozen, probe), (tuned, read_out) = told._readings
    sequences = told._reader.read(told._reader.aligned(models)).double()
    alone = probe(hyper.described(frozen, sequences))
    np.testing.assert_array_equal(alone, method.predict(models))  # fine-tuning is done on a copy
    assert not torch.equal(frozen.entry.weight, tuned.entry.weight)
    other = read_out(hyper.described(tuned, sequences))
    np.testing.assert_allclose(told.predict(models), (alone + other) / 2)


def test_values_are_learned(method: Any) -> None:
    assert np.corrcoef(method.predict(VALUES.test.models), levels(VALUES))[0, 1] > 0.8


def test_a_prediction_depends_on_its_own_model_alone(method: Any) -> None:
    models = VALUES.test.models
    together = method.predict(models)
    chunk = np.array([40, 3, 17])
    np.testing.assert_allclose(method.predict(models[chunk]), together[chunk], rtol=1e-6)
    np.testing.assert_allclose(method.predict(models[[11]])[0], together[11], rtol=1e-6)


def test_hidden_units_have_no_order(method: Any) -> None:
    models = VALUES.test.models[::6]
    permuted = symmetry.disguise(models, seed=1, scaling=False)
    np.testing.assert_allclose(method.predict(permuted), method.predict(models), rtol=1e-5)


def test_the_same_seed_gives_the_same_predictions(method: Any) -> None:
    models = VALUES.test.models[:20]
    np.testing.assert_array_equal(fitted(VALUES).predict(models), method.predict(models))
    assert (fitted(VALUES, seed=1).predict(models) != method.predict(models)).any()


def test_other_widths_and_other_builders_are_read(method: Any) -> None:
    wider = synthetic_unit("accuracy_prediction", "wider", test_widths=(5,)).test.models
    assert np.isfinite(method.predict(wider)).all()
    for name in ("mlp", "cnn_modelzoo 28"):
        assert method.supports(CASES[name].architecture) is None
        assert np.isfinite(method.predict(random_models(CASES[name].architecture, count=3))).all()


def test_numbers_that_are_none_or_enormous_are_read(method: Any) -> None:
    tensors = real_network(np.random.default_rng(0), cnn(3), np.ones(3))
    tensors["conv1.weight"][0] = np.nan
    tensors["conv2.weight"][1] = 1e30
    broken = make_models({"w3": tensors}, {"w3": cnn(3)})
    assert np.isfinite(method.predict(broken)).all()


def test_reconstruction_improves_in_training() -> None:
    """Of weights that mix four patterns, in codes a quarter as long as tokens; on networks that were not trained on."""
    random = np.random.default_rng(0)
    tensors = real_network(random, cnn(3), np.ones(60))
    for name, tensor in tensors.items():
        if tensor.ndim > 2:
            patterns = random.normal(size=(4, *tensor.shape[2:]))
            tensors[name] = np.tensordot(random.normal(size=(*tensor.shape[:2], 4)), patterns, 1).astype(np.float32)
    models = make_models({"w3": tensors}, {"w3": cnn(3)})
    errors = []
    for epochs in (1, 12):
        settings = settings_for(epochs, size=32, code=8, contrast=0.0, shake=0.0)
        method = hyper.HyperRepresentation(settings._replace(schedule=settings.schedule._replace(batch=8, rate=6e-3)))
        context = Context(VALUES.task, (), np.arange(48), 0, "cpu", math.inf)
        method.fit(models[:48], np.arange(48.0), context)
        sequences = method._reader.read(method._reader.aligned(models[48:])).double()
        with torch.no_grad():
            _, windows = sequences.all_windows(32)
            coder, _ = method._readings[0]
            found = coder.decode(coder.encode(windows), windows)
        errors.append(float(((found - windows.values) * windows.mask).square().sum() / windows.mask.sum()))
        assert method.history.kept == int(np.argmin(method.history.losses))
    assert errors[1] < 0.8 * errors[0]


def test_windows_hold_every_token_once() -> None:
    reader = hyper.Reader(VALUES.train.models, VALUES.target, seeds_context(), 8)
    sequences = reader.read(VALUES.test.models[::7])
    _, windows = sequences.all_windows(5)
    shown = windows.values[windows.present()]
    expected = sequences.values[sequences.present()]
    torch.testing.assert_close(shown, expected)


def test_what_is_written_is_what_was_read() -> None:
    models = seeds().models
    reader = hyper.Reader(models, seeds().phases, seeds_context(), 32)
    written = reader.written(reader.read(reader.train).values.numpy(), cnn(3))
    (stack,) = reader.train.by_architecture()
    for name in stack.keys():  # noqa: SIM118
        np.testing.assert_allclose(written[name], stack[name], rtol=1e-3, atol=1e-5)


def test_views_of_one_network_are_told_from_those_of_others() -> None:
    """Against the definition, pair by pair."""
    projected = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = hyper.nt_xent(projected, 0.5)
    unit = projected / projected.norm(dim=1, keepdim=True)
    for row in range(3):
        expected = 0.0
        for one, other in ((row, row + 3), (row + 3, row)):
            powers = {each: math.exp(float(unit[one] @ unit[each]) / 0.5) for each in range(6) if each != one}
            expected -= math.log(powers[other] / sum(powers.values())) / 2
        assert float(found[row]) == pytest.approx(expected)


class Seeds:
    """Many seeds of two cells, as in a zoo for generation."""

    def __init__(self) -> None:
        scale = np.repeat([0.5, 1.5], 24)
        tensors = real_network(np.random.default_rng(5), cnn(3), scale)
        self.models: Models = make_models({"w3": tensors}, {"w3": cnn(3)})
        self.phases = np.repeat(np.array(["III", "I"], dtype=object), 24)


def seeds() -> Seeds:
    return Seeds()


def seeds_context(phase: str = "I") -> Context:
    task = TaskInfo("made.up", "generation", "phase")
    return Context(task, (), np.repeat([0, 1], 24), 0, "cpu", math.inf, target_phase=phase)


@pytest.fixture(scope="module")
def generator() -> Any:
    method = hyper.HyperRepresentation(settings_for(6))
    method.fit(seeds().models, seeds().phases, seeds_context())
    return method


def test_new_networks_have_what_stored_ones_have(generator: Any) -> None:
    drawn = generator.generate(5, seeds_context())
    (stack,) = seeds().models.by_architecture()
    assert list(drawn) == stack.keys() == list(template(cnn(3)).stored)
    for name, tensor in drawn.items():
        assert tensor.shape == (5, *stack.shape(name))
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()
        if name.endswith("running_var"):
            assert (tensor > 0).all()
    network = cnn(3).module().eval()
    network.load_state_dict({name: tensor[0] for name, tensor in drawn.items()}, strict=False)
    assert torch.isfinite(network(torch.randn(2, 1, 8, 8))).all()


def test_new_networks_differ_and_follow_the_seed(generator: Any) -> None:
    drawn = generator.generate(6, seeds_context())["conv2.weight"].flatten(1)
    assert (torch.cdist(drawn, drawn) + torch.eye(6) > 0.1).all()
    again = generator.generate(6, seeds_context())["conv2.weight"].flatten(1)
    assert torch.equal(drawn, again)
    other = generator.generate(6, replace(seeds_context(), seed=1))["conv2.weight"].flatten(1)
    assert not torch.equal(drawn, other)


def test_new_networks_are_of_the_phase_that_is_asked_for(generator: Any) -> None:
    spread = {"I": generator.generate(16, seeds_context())["conv2.weight"].std()}
    other = hyper.HyperRepresentation(settings_for(6))
    other.fit(seeds().models, seeds().phases, seeds_context("III"))
    spread["III"] = other.generate(16, seeds_context("III"))["conv2.weight"].std()
    assert spread["I"] > 1.5 * spread["III"]  # their cells' weights are three times as large


def test_every_token_has_noise_of_its_own() -> None:
    """All kernels stand at one point, so that what is drawn is noise alone; equal noise would correlate by 1."""
    random = np.random.default_rng(0)
    codes = np.concatenate([np.ones((1, 6, 4)), -np.ones((1, 6, 4))])  # deviation 1 everywhere
    drawn = hyper.draw(codes, 4000, 50.0, random)  # kernels so wide that centres do not show
    for one in range(6):
        for other in range(one):
            assert abs(np.corrcoef(drawn[:, one].ravel(), drawn[:, other].ravel())[0, 1]) < 0.05
    np.testing.assert_allclose(drawn.std(0), 1, atol=0.05)


def test_kernels_are_those_of_one_network() -> None:
    codes = np.broadcast_to(np.arange(5.0)[:, None, None], (5, 7, 2))
    drawn = hyper.draw(codes, 50, 0.0, np.random.default_rng(0))
    assert (drawn == drawn[:, :1]).all()
    assert set(np.unique(drawn)) == set(np.arange(5.0))


def test_a_phase_that_no_train_network_shows_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no train network of phase IV-B"):
        hyper.HyperRepresentation(settings_for(1)).fit(seeds().models, seeds().phases, seeds_context("IV-B"))


@pytest.mark.parametrize("number", range(6))
def test_a_draw_keeps_the_spread_of_the_codes(number: int) -> None:
    codes = np.random.default_rng(number).normal(size=(300, 3, 2)) * [1.0, 5.0] + 2
    drawn = hyper.draw(codes, 4000, 0.2 * number, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.std(0), codes.std(0), rtol=0.1)
