"""Weight statistics: comparable across widths, true to batch norm, searched without tearing cells apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.baselines.made import Population, load_baseline, make_method, make_models, network
from wslbench.encodings import statistics

MODULE = load_baseline("weight_statistics")


def test_networks_drawn_alike_look_alike_at_any_width() -> None:
    random = np.random.default_rng(0)
    narrow, wide = (make_models({f"w{width}": network(random, width, np.ones((200, 1)))}) for width in (3, 48))
    kernels = [f"{tensor}.{name}" for tensor in ("conv.weight", "fc.weight") for name in MODULE.STATISTICS[1:]]
    here, there = MODULE.describe(narrow)[kernels].mean(), MODULE.describe(wide)[kernels].mean()
    np.testing.assert_allclose(here, there, atol=0.06)
    raw_here, raw_there = statistics(narrow)[kernels].mean(), statistics(wide)[kernels].mean()
    assert raw_here["fc.weight.std"] > 3 * raw_there["fc.weight.std"]


def test_the_extremes_of_normal_draws_stand_one_deviation_out_however_many_there_are() -> None:
    random = np.random.default_rng(1)
    for entries in (5, 50, 5000):
        draws = random.normal(2.0, 3.0, size=(400, entries))
        values = MODULE.comparable_extremes(MODULE.summarise(draws), entries).mean(axis=0)
        np.testing.assert_allclose(values[[2, 6]], [2 - 3, 2 + 3], atol=0.3)


def test_folding_agrees_with_torch() -> None:
    torch.manual_seed(0)
    convolution, norm = torch.nn.Conv2d(3, 6, 3), torch.nn.BatchNorm2d(6)
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            tensor.normal_()
        norm.running_var.uniform_(0.5, 2)
    fused = torch.nn.utils.fusion.fuse_conv_bn_eval(convolution.eval(), norm.eval())
    state = {f"conv.{name}": tensor for name, tensor in convolution.state_dict().items()}
    state |= {f"bn.{name}": tensor for name, tensor in norm.state_dict().items() if tensor.is_floating_point()}
    models = make_models({"one": {name: tensor[None].numpy() for name, tensor in state.items()}})
    found = MODULE.fold(models.by_architecture()[0], "bn")
    np.testing.assert_allclose(found["gain"][0], fused.weight.detach().flatten(1).norm(dim=1), rtol=1e-5)
    np.testing.assert_allclose(found["shift"][0], fused.bias.detach(), rtol=1e-4, atol=1e-5)


def test_rescaling_a_filter_before_its_norm_leaves_the_folded_statistics_alone() -> None:
    tensors = network(np.random.default_rng(2), 4, np.ones((5, 1)))
    factor = np.linspace(0.5, 4, 8, dtype=np.float32)  # one a channel
    scaled = {
        **tensors,
        "conv.weight": tensors["conv.weight"] * factor[:, None, None, None],
        "bn.running_mean": tensors["bn.running_mean"] * factor,
        "bn.running_var": tensors["bn.running_var"] * factor**2,
    }
    before, after = (MODULE.describe(make_models({"w4": stack})) for stack in (tensors, scaled))
    folded = [column for column in before if ".folded_" in column]
    assert len(folded) == 2 * len(MODULE.STATISTICS)
    np.testing.assert_allclose(after[folded], before[folded], rtol=1e-3, atol=1e-4)
    assert not np.allclose(after["conv.weight.std"], before["conv.weight.std"], rtol=0.1)


def test_a_norm_without_a_layer_of_its_channels_is_not_folded() -> None:
    tensors = network(np.random.default_rng(2), 4, np.ones((2, 1)))
    alone = {name: tensor for name, tensor in tensors.items() if name != "conv.weight"}
    assert not any(".folded_" in column for column in MODULE.describe(make_models({"w4": alone})))


def test_a_tensor_that_an_architecture_lacks_is_missing_not_zero(population: Population) -> None:
    tensors = network(np.random.default_rng(5), 4, np.ones((2, 1)))
    linear = {name: tensors[name] for name in ("fc.weight", "fc.bias")}
    described = MODULE.describe(make_models({"linear": linear, "w4": tensors}))
    assert described["conv.weight.std"].isna().tolist() == [True, True, False, False]
    assert described["fc.weight.std"].notna().all()
    method = make_method("weight_statistics")
    method.fit(population.models, population.values, population.context("weight_statistics", classify=False))
    assert np.isfinite(method.predict(make_models({"linear": linear}))).all()


def test_rows_follow_the_models_whatever_their_architectures(population: Population) -> None:
    described = MODULE.describe(population.models)
    width = population.hyperparameters["load"].to_numpy()
    by_width = [described["parameters"].to_numpy()[width == value] for value in np.unique(width)]
    assert all(np.ptp(column) == 0 for column in by_width)
    assert np.all(np.diff([column[0] for column in by_width]) > 0)


def test_the_search_holds_out_whole_cells(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[set[float]] = []

    class Recorder:
        """Takes the cell, which stands in the only feature, for a prediction."""

        def __init__(self, cells: set[float]) -> None:
            self.cells = cells

        def predict(self, features: np.ndarray, num_iteration: int) -> np.ndarray:
            assert not self.cells & set(features[:, 0])
            return features[:, 0]

    def boost(features: np.ndarray, *rest: Any) -> Recorder:
        fits.append(set(features[:, 0]))
        return Recorder(fits[-1])

    monkeypatch.setattr(MODULE, "boost", boost)
    features = population.groups[:, None].astype(float)
    context = population.context("weight_statistics", classify=False)
    losses = MODULE.search_settings(features, population.values, np.ones(len(features)), {}, context)
    assert set(losses) == {(leaves, rounds) for leaves in MODULE.LEAVES for rounds in MODULE.ROUNDS}
    assert len(fits) == len(MODULE.LEAVES) * MODULE.INNER_FOLDS
    expected = np.mean((population.groups - population.values) ** 2)
    np.testing.assert_allclose(list(losses.values()), expected, rtol=0.15)


def test_the_best_of_what_was_searched_is_used(population: Population) -> None:
    method = make_method("weight_statistics")
    method.fit(population.models, population.phases, population.context("weight_statistics", classify=True))
    assert method.search[method.settings] == min(method.search.values())


def test_every_phase_weighs_the_same(population: Population) -> None:
    labels, weights, objective = MODULE.labelled(
        population.phases, population.context("weight_statistics", classify=True)
    )
    total = [weights[labels == label].sum() for label in np.unique(labels)]
    np.testing.assert_allclose(total, total[0])
    assert objective["num_class"] == 5
