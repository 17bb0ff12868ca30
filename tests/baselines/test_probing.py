"""Probing: what networks answer and nothing else, gradients through frozen networks, a generator a form."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from tests.architectures.cases import CASES
from tests.baselines.made import PHASES, load_baseline
from wslbench import Models, load_zoo, symmetry
from wslbench.architectures import Architecture
from wslbench.tasks import load_tasks, prepare
from wslbench.typing import Context, TaskInfo
from wslbench.zoo import Source
from wslbench.zoo.template import template

MODULE = load_baseline("probing")
SCHEDULE = MODULE.Schedule(epochs=4, patience=4, batch=16, rate=1e-2, decay=0.0)
QUICK = MODULE.Settings(probes=8, codes=6, hidden=32, readers=2, schedule=SCHEDULE)
CNN = (Architecture(builder="cnn", arguments={"width": 2}), Architecture(builder="cnn", arguments={"width": 3}))
MLP = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [5, 4], "out_features": 1})
COUNT = 30


def drawn(*architectures: Architecture) -> Models:
    """``COUNT`` networks of each, with normal weights of standard deviation ``1 / √fan-in``."""
    random = np.random.default_rng(0)
    sources = []
    for number, each in enumerate(architectures):
        tensors = {}
        for name, shape in template(each).stored.items():
            values = random.normal(size=(COUNT, *shape)) / math.sqrt(max(1, math.prod(shape[1:])))
            tensors[name] = (np.exp(values) if name.endswith("running_var") else values).astype(np.float32)
        sources.append(Source(f"a{number}", each, lambda tensors=tensors: tensors))
    total = COUNT * len(architectures)
    ids = np.array([f"m{number}" for number in range(total)], dtype=object)
    return Models(
        ids, sources, np.repeat(np.arange(len(architectures)), COUNT), np.tile(np.arange(COUNT), total // COUNT)
    )


def context(models: Models, classes: tuple[str, ...] = (), seed: int = 0) -> Context:
    info = TaskInfo("made.up", "phase_classification" if classes else "accuracy_prediction", "made-up")
    return Context(info, classes, np.arange(len(models)) // 3, seed, "cpu", math.inf)


def fitted(models: Models, target: np.ndarray | None = None, *, settings: Any = QUICK, seed: int = 0) -> Any:
    """Fitted to numbers, or to phases."""
    target = np.random.default_rng(1).normal(size=len(models)) if target is None else target
    method = MODULE.Probing(settings)
    method.fit(models, target, context(models, PHASES if target.dtype == object else (), seed))
    return method


def answers(models: Models, probes: torch.Tensor) -> torch.Tensor:
    (stack,) = models.by_architecture()
    return MODULE.answer(stack, probes)


@pytest.mark.parametrize("architectures", [CNN, [MLP]], ids=["cnn", "mlp"])
def test_symmetries_of_weights_are_not_seen(architectures: list[Architecture]) -> None:
    models = drawn(*architectures)
    method = fitted(models)
    expected = method.predict(models)
    assert np.ptp(expected) > 1e-2
    for kind in ({"scaling": False}, {"permutation": False}, {}):
        disguised = symmetry.disguise(models, 7, **kind)
        assert any((disguised[0].tensors()[name] != tensor).any() for name, tensor in models[0].tensors().items())
        np.testing.assert_allclose(method.predict(disguised), expected, atol=1e-5)


def test_another_function_is_seen() -> None:
    """Weights that are shuffled within their tensors have all statistics in common, and no function."""
    models = drawn(MLP)
    random = np.random.default_rng(0)
    (stack,) = models.by_architecture()
    shuffled = {name: random.permuted(stack[name].reshape(COUNT, -1), axis=1).reshape(stack[name].shape)
                for name in stack.keys()}  # noqa: SIM118  # fmt: skip
    others = Models(models.ids, [Source("a0", MLP, lambda: shuffled)], np.zeros(COUNT, np.intp), np.arange(COUNT))
    method = fitted(models)
    assert np.abs(method.predict(others) - method.predict(models)).max() > 1e-2


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.tokens is None], ids=lambda case: case[0].builder
)
def test_answers_are_what_each_network_says_by_itself(case: Any) -> None:
    models = drawn(case.architecture)[:3]
    probes = case.inputs(4)
    found = answers(models, probes)
    with torch.no_grad():
        said = torch.stack([model.module().double()(probes) for model in models])
    expected = said.log_softmax(2).clamp(min=MODULE.LOWEST) if said.shape[2] > 1 else said.asinh()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("architecture", [MLP, CNN[0]], ids=["mlp", "cnn"])
def test_gradients_flow_through_the_networks(architecture: Architecture) -> None:
    models = drawn(architecture)[:2]
    probes = torch.randn(2, *MODULE.form_of(architecture).shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda inputs: answers(models, inputs), probes, check_undefined_grad=False)


def test_the_generator_is_trained_and_the_networks_are_not() -> None:
    models = drawn(*CNN)
    before = [stack["conv1.weight"].copy() for stack in models.by_architecture()]
    still = QUICK._replace(schedule=SCHEDULE._replace(rate=0.0))
    drawn_probes, learned = (fitted(models, settings=settings)._probes for settings in (still, QUICK))
    for name, parameter in learned.state_dict().items():
        if name.endswith(("codes", "weight")):
            assert (parameter != drawn_probes.state_dict()[name]).any()
    for stack, kept in zip(models.by_architecture(), before, strict=True):
        np.testing.assert_array_equal(stack["conv1.weight"], kept)


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 7, 5)], ids=str)
def test_probes_are_linear_in_codes_and_begin_at_the_spread(shape: tuple[int, ...]) -> None:
    generator = MODULE.Generator(shape, QUICK._replace(spread=2.0)).double()
    probes = generator().detach()
    assert probes.shape == (QUICK.probes, *shape)
    assert float(probes.std()) == pytest.approx(2.0, rel=1e-5)
    with torch.no_grad():
        generator.codes[0] = 3 * generator.codes[1] - generator.codes[2]
    torch.testing.assert_close(generator()[0].detach(), 3 * probes[1] - probes[2])


def test_what_can_be_probed_and_why_not() -> None:
    reasons = {name: MODULE.Probing().supports(case.architecture) for name, case in CASES.items()}
    assert {name for name, reason in reasons.items() if reason} == {"gpt"}
    assert "tokens" in reasons["gpt"]


def test_networks_that_do_not_say_what_they_take_cannot_be_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    import wslbench.architectures._architecture as architectures

    monkeypatch.setitem(architectures.BUILDERS, "bare", "torch.nn:Linear")
    bare = Architecture(builder="bare", arguments={"in_features": 2, "out_features": 1})
    assert "which inputs" in MODULE.Probing().supports(bare)


@pytest.mark.parametrize("task_id", ["convection-pinn.error", "digits-cnn.test-accuracy"])
def test_real_networks_are_ranked(task_id: str) -> None:
    """On cells that the fit never saw. Half of the train models of a fold are enough, and a short training."""
    task = load_tasks()[task_id]
    zoo = load_zoo(task.zoo)
    rows = prepare(task, zoo).train(0).iloc[::2]
    models, target = zoo.models(rows["model_id"].to_numpy(dtype=object)), rows["target"].to_numpy(dtype=float)
    _, cells = np.unique(rows["cell_id"].to_numpy(dtype=str), return_inverse=True)
    fit, held_out = np.flatnonzero(cells % 3), np.flatnonzero(cells % 3 == 0)
    schedule = SCHEDULE._replace(epochs=12, rate=3e-3)
    method = MODULE.Probing(MODULE.Settings(probes=16, readers=2, schedule=schedule))
    method.fit(models[fit], target[fit], replace(context(models[fit]), groups=cells[fit]))
    assert kendalltau(method.predict(models[held_out]), target[held_out]).statistic > 0.3


def test_seeds_draw_other_probes() -> None:
    models = drawn(MLP)
    first, second, again = (fitted(models, seed=seed).predict(models) for seed in (0, 1, 0))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_networks_of_several_forms_are_learned_together() -> None:
    models = drawn(CNN[0], MLP)[np.random.default_rng(0).permutation(2 * COUNT)]
    method = fitted(models)
    assert len(method._probes.generators) == 2
    together = method.predict(models)
    alone = np.concatenate([method.predict(models[[number]]) for number in range(len(models))])
    np.testing.assert_allclose(alone, together, rtol=1e-6)
    for stack in models.by_architecture():
        assert np.ptp(together[stack.positions]) > 1e-3


def test_a_form_that_training_did_not_show_gets_the_train_models_mean() -> None:
    models, others = drawn(*CNN), drawn(MLP)
    values = np.random.default_rng(2).normal(3.0, 2.0, size=len(models))
    np.testing.assert_allclose(fitted(models, values).predict(others), values.mean(), rtol=1e-6)
    phases = np.array(PHASES[:4], dtype=object)[np.arange(len(models)) // 3 % 4]
    np.testing.assert_allclose(fitted(models, phases).predict(others), [[0.25] * 4 + [0.0]] * COUNT)
    # Nor does its company change what the others get.
    method = fitted(models, values)
    mixed = drawn(*CNN, MLP)
    np.testing.assert_allclose(method.predict(mixed)[:-COUNT], method.predict(mixed[: 2 * COUNT]), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("architecture", [MLP, CNN[0]], ids=["mlp", "cnn"])
def test_networks_that_diverged_hurt_nobody(architecture: Architecture, bad: float) -> None:
    models = drawn(architecture)
    (stack,) = models.by_architecture()
    tensors = {name: stack[name].copy() for name in stack.keys()}  # noqa: SIM118
    for number, tensor in enumerate(tensors.values()):
        tensor[number % 5, ...] = bad
    tensors = {name: np.abs(tensor) if name.endswith("running_var") else tensor for name, tensor in tensors.items()}
    broken = Models(
        models.ids, [Source("a0", architecture, lambda: tensors)], np.zeros(COUNT, np.intp), np.arange(COUNT)
    )
    method = fitted(broken)
    assert all(torch.isfinite(parameter).all() for parameter in method._probes.parameters())
    assert (np.diff(method.history.losses) != 0).any()  # it went on learning
    assert np.isfinite(method.predict(broken)).all()
    assert np.isfinite(method.predict(models)).all()


def test_one_network_is_enough_to_fit() -> None:
    models = drawn(MLP)[:1]
    np.testing.assert_allclose(fitted(models, np.array([2.0])).predict(models), 2.0, atol=1.0)
