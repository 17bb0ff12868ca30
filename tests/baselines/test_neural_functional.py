"""Neural functionals: blind to permutations of hidden units and to nothing else, at any width."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from tests.baselines.made import PHASES, load_baseline
from tests.encodings.test_weight_chains import CHAINS, OTHERS, cnn, drawn, models_of
from wslbench.architectures import BUILDERS, Architecture
from wslbench.encodings import chain_of, chains, padded
from wslbench.symmetry import apply, random, symmetries
from wslbench.typing import Context, TaskInfo
from wslbench.zoo import Models

MODULE = load_baseline("neural_functional")
QUICK = MODULE.Settings(2, 8, 4, 16, 0.1, 0.1, members=2, schedule=MODULE.Schedule(10, 10, 16, 1e-2, 1e-2))
EVERY_CHAIN = pytest.mark.parametrize("name", CHAINS)


def read(models: Models) -> list[Any]:
    """A graph for each architecture."""
    return [MODULE.graph_of(part) for part in chains(models)]


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
    chain = chain_of(architecture)
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
    graphs = [read(models_of((architecture, each)))[0] for each in (tensors, moved)]
    channels = [values.shape[1] for values in graphs[0].features]
    torch.manual_seed(0)
    layer = MODULE.Equivariant(channels[: len(orders)], channels[len(orders) : -1], channels[-1], 7, 3).double()
    with torch.no_grad():
        here, there = (layer(graph.at(torch.arange(4)[None])).at(torch.tensor(0)) for graph in graphs)
    for units, changed, order in zip(here.units, there.units, orders, strict=True):
        assert units.shape[1:] == (7, len(order))
        torch.testing.assert_close(changed, units[:, :, order])
    for number, (pairs, changed) in enumerate(zip(here.pairs, there.pairs, strict=True)):
        torch.testing.assert_close(changed, pairs[:, :, orders[number + 1]][:, :, :, orders[number]])
        assert pairs.std(dim=(2, 3)).min() > 1e-3
    torch.testing.assert_close(there.whole, here.whole)


def test_padding_a_narrow_network_to_a_wide_one_changes_nothing() -> None:
    models = models_of(*[(each, drawn(each, np.ones(3))) for each in (cnn(2), cnn(5))])
    graphs = read(models)
    torch.manual_seed(0)
    network = MODULE.Functional(graphs[0], 4, QUICK).double().eval()
    with torch.no_grad():
        alone = torch.cat([network(graph.at(torch.arange(3)[None])) for graph in graphs], 1)
        together = network(MODULE.graph_of(padded(chains(models))).at(torch.arange(6)[None]))
    torch.testing.assert_close(together, alone)


def test_features_are_standardised_over_models_and_units_together() -> None:
    architectures = [cnn(2), cnn(5)]
    drawn_models = models_of(*[(each, drawn(each, np.geomspace(0.5, 2, 20))) for each in architectures])
    scale = MODULE.Scale(MODULE.graph_of(padded(chains(drawn_models))))
    scaled = [scale(graph) for graph in read(drawn_models)]
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


def test_thinning_leaves_out_units_and_nothing_else() -> None:
    """What a thinned graph says is what the graph says whose left-out units have no share in any mean."""
    models = models_of(*[(each, drawn(each, np.ones(3))) for each in (cnn(2), cnn(5))])
    graph = MODULE.graph_of(padded(chains(models)))
    rows = torch.tensor([[0, 5, 2], [3, 3, 1]])
    torch.manual_seed(0)
    thin, whole = graph.thinned(rows, 0.6), graph.at(rows)
    shares = []
    for units, kept, full, own in zip(whole.units, thin.units, whole.shares, thin.shares, strict=True):
        # A unit is known again by its features, which no other one has.
        same = (units[..., :, None] == kept[..., None, :]).all(2) & (full[..., :, None] > 0)
        shares.append((same * own[..., None, :]).sum(-1))
    torch.manual_seed(0)
    network = MODULE.Functional(graph, 4, QUICK).double().eval()
    joined = MODULE.joined([network, MODULE.Functional(graph, 4, QUICK).double().eval()])
    with torch.no_grad():
        torch.testing.assert_close(joined(thin), joined(replace(whole, shares=shares)))


def test_each_unit_is_kept_as_often_as_asked_for() -> None:
    models = models_of((cnn(3), drawn(cnn(3), np.ones(1))))
    graph = read(models)[0]
    torch.manual_seed(0)
    counts = [(share > 0).sum(-1).double().mean() for share in graph.thinned(torch.zeros(4000, dtype=int), 0.6).shares]
    np.testing.assert_allclose(counts, [0.4 * 3, 0.4 * 6, 0.4 * 6], atol=0.03)
    everything = graph.thinned(torch.tensor([0]), 0.0)
    torch.testing.assert_close(everything.means, graph.means)
    torch.testing.assert_close(everything.mean_squares, graph.mean_squares)


def test_members_do_not_see_each_other() -> None:
    """Two members together say what each says alone, of networks of its own."""
    models = models_of((cnn(3), drawn(cnn(3), np.geomspace(0.5, 2, 6))))
    graph = read(models)[0]
    torch.manual_seed(0)
    alone = [MODULE.Functional(graph, 4, QUICK).double().eval() for _ in range(2)]
    rows = torch.tensor([[0, 1, 2], [5, 4, 3]])
    with torch.no_grad():
        expected = torch.cat([network(graph.at(own[None])) for network, own in zip(alone, rows, strict=True)])
        torch.testing.assert_close(MODULE.joined(alone)(graph.at(rows)), expected)


def test_networks_of_several_structures_go_back_to_their_rows() -> None:
    models = models_of(*[(each, drawn(each, np.ones(4))) for each in (cnn(2), CHAINS["shallow"])])
    graphs = {part.structure: MODULE.graph_of(part) for part in chains(models)}
    torch.manual_seed(0)
    networks = torch.nn.ModuleDict(
        {
            name: MODULE.joined([MODULE.Functional(graph, 3, QUICK).double() for _ in range(2)])
            for name, graph in graphs.items()
        }
    ).eval()
    rows = torch.tensor([[0, 5, 2, 7], [1, 3, 2, 0]])
    with torch.no_grad():
        found = MODULE.outputs_at(rows, graphs, networks, 3, 0.0)
        everything = torch.cat(
            [networks[name](graph.at(torch.arange(4).expand(2, -1))) for name, graph in graphs.items()], 1
        )
    torch.testing.assert_close(found, torch.stack([everything[0, rows[0]], everything[1, rows[1]]]))
