"""Neural functionals: blind to permutations of hidden units and to nothing else, at any width."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from tests.baselines.made import PHASES, load_baseline
from wslbench.architectures import BUILDERS, Architecture
from wslbench.symmetry import apply, random, symmetries
from wslbench.typing import Context, TaskInfo
from wslbench.zoo import Models, Source

MODULE = load_baseline("neural_functional")
QUICK = MODULE.Settings(2, 8, 4, 16, 0.1, 0.1, members=2, schedule=MODULE.Schedule(10, 10, 16, 1e-2, 1e-2))
CHAINS = {
    "cnn": Architecture(builder="cnn", arguments={"width": 3}),
    "one channel": Architecture(builder="cnn", arguments={"width": 1, "image_size": 16, "in_channels": 3}),
    "grey": Architecture(builder="cnn_modelzoo", arguments={"image_size": 28}),
    "colour": Architecture(builder="cnn_modelzoo", arguments={"image_size": 32, "in_channels": 3, "dropout": 0.1}),
    "shallow": Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [5], "out_features": 3}),
    "deep": Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [5, 4, 6, 3], "out_features": 1}),
}
OTHERS = {
    "resnet18": {"width": 2},
    "resnet50": {"width": 1},
    "vit": {"dim": 8, "depth": 1, "heads": 2},
    "gpt": {"dim": 8, "depth": 1, "heads": 2, "context": 6, "vocabulary": 11},
}
EVERY_CHAIN = pytest.mark.parametrize("name", CHAINS)


def cnn(width: int) -> Architecture:
    return Architecture(builder="cnn", arguments={"width": width})


def drawn(architecture: Architecture, scales: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Networks with normal weights of standard deviation ``scale / √fan-in``, and of what else there is."""
    generator = np.random.default_rng(seed)
    stacks = {}
    for name, tensor in architecture.module().state_dict().items():
        if tensor.is_floating_point():
            values = generator.normal(size=(len(scales), *tensor.shape)) / np.sqrt(max(1, math.prod(tensor.shape[1:])))
            if tensor.ndim > 1:
                values *= scales.reshape(-1, *[1] * tensor.ndim)
            stacks[name] = (np.exp(values / 4) if name.endswith("running_var") else values).astype(np.float32)
    return stacks


def models_of(*parts: tuple[Architecture, dict[str, np.ndarray]]) -> Models:
    """Models out of stacks, one architecture after the other."""
    sources = [
        Source(f"architecture{number}", architecture, lambda tensors=tensors: tensors)
        for number, (architecture, tensors) in enumerate(parts)
    ]
    sizes = [len(next(iter(tensors.values()))) for _, tensors in parts]
    ids = np.array([f"model{number}" for number in range(sum(sizes))], dtype=object)
    rows = np.concatenate([np.arange(size) for size in sizes])
    return Models(ids, sources, np.repeat(np.arange(len(sizes)), sizes), rows)


def context(groups: np.ndarray, *, classify: bool, seed: int = 0) -> Context:
    kind = "phase_classification" if classify else "accuracy_prediction"
    return Context(
        TaskInfo("made.up", kind, "made-up"), PHASES if classify else (), groups, seed, "cpu", deadline=math.inf
    )


def population(*architectures: Architecture, cells: int = 10, seed: int = 0) -> tuple[Models, np.ndarray, np.ndarray]:
    """Models, their values, which are the logarithms of their weights' scales, and their cells of three seeds."""
    levels = np.tile(np.linspace(-1, 1, cells).repeat(3), len(architectures))
    stacks = [
        drawn(each, np.exp(np.linspace(-1, 1, cells)).repeat(3), seed + k) for k, each in enumerate(architectures)
    ]
    return models_of(*zip(architectures, stacks, strict=True)), levels, np.arange(len(levels)) // 3


def fitted(
    models: Models,
    values: np.ndarray,
    groups: np.ndarray,
    *,
    classify: bool = False,
    seed: int = 0,
    settings: Any = QUICK,
) -> Any:
    method = MODULE.NeuralFunctional(settings)
    target = np.array(PHASES, dtype=object)[np.digitize(values, [-0.6, -0.2, 0.2, 0.6])] if classify else values
    method.fit(models, target, context(groups, classify=classify, seed=seed))
    return method


def permuted(architecture: Architecture, tensors: dict[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    group = symmetries(architecture)
    return apply(group, random(group, len(next(iter(tensors.values()))), seed, scaling=False), tensors)


@EVERY_CHAIN
@pytest.mark.parametrize("classify", [True, False], ids=["phase", "value"])
def test_permuting_hidden_units_leaves_predictions_alone(name: str, classify: bool) -> None:
    architecture = CHAINS[name]
    method = fitted(*population(architecture), classify=classify)
    tensors = drawn(architecture, np.linspace(0.5, 2, 5), seed=9)
    before = method.predict(models_of((architecture, tensors)))
    after = method.predict(models_of((architecture, permuted(architecture, tensors))))
    np.testing.assert_allclose(after, before, rtol=1e-9)
    assert len(np.unique(before.round(6), axis=0)) > 1


def test_it_is_not_blind_to_scalings_that_leave_the_function_alone() -> None:
    architecture = CHAINS["cnn"]
    method = fitted(*population(architecture))
    tensors = drawn(architecture, np.linspace(0.5, 2, 5), seed=9)
    group = symmetries(architecture)
    scaled = apply(group, random(group, 5, seed=0, permutation=False), tensors)
    before, after = (method.predict(models_of((architecture, each))) for each in (tensors, scaled))
    assert (np.abs(after - before) > 1e-4).all()


@EVERY_CHAIN
def test_a_layer_moves_with_its_units(name: str) -> None:
    """What a layer puts out for permuted networks is what it puts out for the networks, permuted."""
    architecture = CHAINS[name]
    chain = MODULE.chain_of(architecture)
    tensors = drawn(architecture, np.ones(4))
    moved = dict(tensors)
    orders = []
    for number, places in enumerate(chain.places):
        order = np.random.default_rng(number).permutation(len(places))
        for tensor in (chain.matrices[number], *chain.vectors[number]):
            moved[tensor] = moved[tensor][:, order]
        entered, positions = chain.matrices[number + 1], np.empty(places.size, np.int64)
        positions[places] = places[order]
        moved[entered] = moved[entered][:, :, positions]
        orders.append(order)
    graphs = [MODULE.read(models_of((architecture, each)).by_architecture()[0], chain) for each in (tensors, moved)]
    channels = [values.shape[1] for values in graphs[0].features]
    torch.manual_seed(0)
    layer = MODULE.Equivariant(channels[: len(orders)], channels[len(orders) : -1], channels[-1], 7, 3).double()
    with torch.no_grad():
        here, there = (layer(graph) for graph in graphs)
    for units, changed, order in zip(here.units, there.units, orders, strict=True):
        assert units.shape[1:] == (7, len(order))
        torch.testing.assert_close(changed, units[:, :, order])
    for number, (pairs, changed) in enumerate(zip(here.pairs, there.pairs, strict=True)):
        torch.testing.assert_close(changed, pairs[:, :, orders[number + 1]][:, :, :, orders[number]])
        assert pairs.std(dim=(2, 3)).min() > 1e-3
    torch.testing.assert_close(there.whole, here.whole)


def test_padding_a_narrow_network_to_a_wide_one_changes_nothing() -> None:
    architectures = [cnn(2), cnn(5)]
    graphs = [
        MODULE.read(models_of((each, drawn(each, np.ones(3)))).by_architecture()[0], MODULE.chain_of(each))
        for each in architectures
    ]
    torch.manual_seed(0)
    network = MODULE.Functional(graphs[0], 4, QUICK).double().eval()
    with torch.no_grad():
        alone = torch.cat([network(graph) for graph in graphs])
        together = network(MODULE.padded(graphs))
    torch.testing.assert_close(together, alone)


def test_features_are_standardised_over_models_and_units_together() -> None:
    architectures = [cnn(2), cnn(5)]
    drawn_models = models_of(*[(each, drawn(each, np.geomspace(0.5, 2, 20))) for each in architectures])
    graphs = [MODULE.read(stack, MODULE.chain_of(stack.architecture)) for stack in drawn_models.by_architecture()]
    scaled = [MODULE.Scale(MODULE.padded(graphs))(graph) for graph in graphs]
    for kind in zip(*(graph.features for graph in scaled), strict=True):
        # Every model counts once, whatever its width.
        each = torch.cat([values.flatten(2).mean(2) if values.ndim > 2 else values for values in kind])
        squares = torch.cat([values.square().flatten(2).mean(2) if values.ndim > 2 else values**2 for values in kind])
        torch.testing.assert_close(each.mean(0), torch.zeros_like(each[0]), atol=0.01, rtol=0)
        torch.testing.assert_close(squares.mean(0), torch.ones_like(each[0]), atol=0.05, rtol=0)


@pytest.mark.parametrize("classify", [True, False], ids=["phase", "value"])
def test_a_prediction_depends_on_its_own_model_alone(classify: bool) -> None:
    models, values, groups = population(cnn(2), cnn(4), CHAINS["shallow"])
    method = fitted(models, values, groups, classify=classify)
    together = method.predict(models)
    for rows in ([3], [70, 2, 40], [35, 89, 1, 36, 0]):
        np.testing.assert_allclose(method.predict(models[np.array(rows)]), together[rows], rtol=1e-9)


def test_the_same_seed_gives_the_same_predictions_and_another_does_not() -> None:
    shown = population(cnn(2), cnn(3))
    first, second, other = (fitted(*shown, seed=seed).predict(shown[0]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


def test_what_the_weights_show_is_learned_and_holds_for_a_width_that_was_never_seen() -> None:
    settings = QUICK._replace(schedule=MODULE.Schedule(40, 40, 16, 1e-2, 1e-2))
    method = fitted(*population(cnn(2), cnn(4)), settings=settings)
    for width in (2, 3, 6):
        models, values, _ = population(cnn(width), seed=50)
        assert kendalltau(method.predict(models), values).statistic > 0.8


def test_a_value_that_only_single_weights_show_is_learned() -> None:
    """The mean product of the weights that enter and leave a unit: no statistic of one tensor shows it."""
    architecture = Architecture(builder="mlp", arguments={"in_features": 1, "hidden": [8], "out_features": 1})
    tensors = drawn(architecture, np.ones(400))
    values = (tensors["layers.0.weight"][:, :, 0] * tensors["layers.1.weight"][:, 0]).mean(1).astype(np.float64)
    models = models_of((architecture, tensors))
    train, test = np.arange(300), np.arange(300, 400)
    settings = QUICK._replace(schedule=MODULE.Schedule(60, 60, 16, 1e-2, 1e-2))
    method = fitted(models[train], values[train], train, settings=settings)
    assert kendalltau(method.predict(models[test]), values[test]).statistic > 0.6


def test_an_unknown_chain_gets_what_the_train_models_show_on_average() -> None:
    models, values, groups = population(cnn(2))
    rows = np.flatnonzero(values < 0.5)
    unknown = population(CHAINS["deep"], CHAINS["one channel"])[0]
    np.testing.assert_allclose(fitted(models[rows], values[rows], groups[rows]).predict(unknown), values[rows].mean())
    phases = fitted(models[rows], values[rows], groups[rows], classify=True).predict(unknown)
    np.testing.assert_allclose(phases, np.tile([0.25, 0.25, 0.25, 0.25, 0], (len(unknown), 1)))


def test_models_that_are_no_chain_neither_train_nor_stop_it() -> None:
    resnet = Architecture(builder="resnet18", arguments={"width": 1})
    models, values, groups = population(cnn(2), resnet, cells=4)
    chains = fitted(models[:12], values[:12], groups[:12])
    both = fitted(models, values, groups)
    np.testing.assert_array_equal(both.predict(models[:12]), chains.predict(models[:12]))
    np.testing.assert_allclose(both.predict(models[12:]), values.mean())
    np.testing.assert_allclose(fitted(models[12:], values[12:], groups[12:]).predict(models), values[12:].mean())


def test_weights_that_blew_up_get_a_prediction() -> None:
    architecture = cnn(2)
    method = fitted(*population(architecture))
    tensors = drawn(architecture, np.ones(3))
    tensors["conv2.weight"][0, 0] = np.nan
    tensors["bn1.running_var"][1] = np.inf
    tensors["fc.weight"][2] = 3e38
    assert np.isfinite(method.predict(models_of((architecture, tensors)))).all()


@EVERY_CHAIN
def test_chains_are_covered(name: str) -> None:
    assert MODULE.NeuralFunctional().supports(CHAINS[name]) is None


@pytest.mark.parametrize(("builder", "arguments"), OTHERS.items())
def test_branches_are_refused_with_the_units_that_branch(builder: str, arguments: dict[str, Any]) -> None:
    reason = MODULE.NeuralFunctional().supports(Architecture(builder=builder, arguments=arguments))
    assert reason is not None
    assert "chains alone are covered" in reason
    assert {"resnet18": "conv1", "resnet50": "conv1", "vit": "patch_embed.proj", "gpt": "wte"}[builder] in reason


def test_every_builder_is_told_of() -> None:
    assert {each.builder for each in CHAINS.values()} | set(OTHERS) == set(BUILDERS)


def test_widths_share_a_structure_and_nothing_else_does() -> None:
    structures = {name: MODULE.chain_of(architecture).structure for name, architecture in CHAINS.items()}
    assert len(set(structures.values())) == len(structures)
    assert MODULE.chain_of(cnn(14)).structure == structures["cnn"]
    wider = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [9], "out_features": 3})
    assert MODULE.chain_of(wider).structure == structures["shallow"]
    more = Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [5], "out_features": 3})
    assert MODULE.chain_of(more).structure != structures["shallow"]
