"""Spectral: comparable across widths, blind to permutations, searched without tearing cells apart."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from tests.baselines.made import Population, load_baseline, make_method, make_models, network
from wslbench.encodings import statistics

MODULE = load_baseline("spectral")
KERNELS = ("conv.weight", "fc.weight")


def drawn(width: int, count: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    return network(np.random.default_rng(seed), width, np.ones((count, 1)))


def test_networks_drawn_alike_look_alike_at_any_width() -> None:
    narrow, wide = (make_models({f"w{width}": drawn(width)}) for width in (8, 40))
    columns = [f"conv.weight.{kind}" for kind in ("size", *MODULE.PLACES, *MODULE.RANKS)]
    here, there = MODULE.describe(narrow)[columns].mean(), MODULE.describe(wide)[columns].mean()
    np.testing.assert_allclose(here, there, atol=0.06)
    raw_here, raw_there = (statistics(models, spectral=True).mean() for models in (narrow, wide))
    for kind in ("frobenius_norm", "stable_rank", "effective_rank"):
        assert raw_there[f"conv.weight.{kind}"] > 2 * raw_here[f"conv.weight.{kind}"]


def test_a_random_matrix_fills_the_bulk_from_edge_to_edge_whatever_its_sides() -> None:
    for rows, columns in ((150, 150), (60, 240), (240, 60)):
        stack = np.random.default_rng(1).normal(2e-3, 0.7, size=(4, rows, columns)).astype(np.float32)
        described = MODULE.describe(make_models({"one": {"w": stack}})).mean()
        assert described["w.s0"] == pytest.approx(0, abs=0.05)
        assert described["w.spectral_norm"] == pytest.approx(1, abs=0.05)


def test_what_is_learned_stands_beyond_the_bulk() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(size=(1, 60, 90))
    direction = random.normal(size=(60, 1)) * random.normal(size=90)
    learned = (noise + 2 * direction).astype(np.float32)
    described = MODULE.describe(make_models({"one": {"w": learned}})).iloc[0]
    assert described["w.spectral_norm"] > 2


def test_the_size_of_a_layer_is_the_gain_of_a_unit() -> None:
    described = MODULE.describe(make_models({"w6": drawn(6)}))
    np.testing.assert_allclose(described[[f"{name}.size" for name in KERNELS]].mean(), 1, atol=0.05)


def test_a_vector_is_its_root_mean_square() -> None:
    tensors = drawn(6)
    described = MODULE.describe(make_models({"w6": tensors}))
    np.testing.assert_allclose(
        described["fc.bias.size"], np.sqrt((tensors["fc.bias"].astype(float) ** 2).mean(axis=1)), rtol=1e-5
    )


def test_permuting_channels_leaves_the_features_alone() -> None:
    tensors, order = drawn(5), np.random.default_rng(3).permutation(10)
    permuted = {
        name: tensor[:, order] if name.startswith(("conv", "bn")) else tensor for name, tensor in tensors.items()
    }
    # Four inputs a channel: the classifier reads 2 × 2 positions.
    permuted["fc.weight"] = tensors["fc.weight"].reshape(-1, 10, 10, 4)[:, :, order].reshape(-1, 10, 40)
    before, after = (MODULE.describe(make_models({"w5": stack})) for stack in (tensors, permuted))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_zeros_and_weights_that_are_not_finite_still_get_a_prediction(population: Population) -> None:
    method = make_method("spectral")
    method.fit(population.models, population.values, population.context("spectral", classify=False))
    tensors = drawn(4, count=3)
    tensors["conv.weight"][0] = 0
    tensors["fc.weight"][1, 0, 0] = np.inf
    described = MODULE.describe(make_models({"w4": tensors}))
    assert not np.isinf(described.to_numpy()).any()
    assert np.isnan(described.loc[0, "conv.weight.spectral_norm"])
    assert described.loc[1, [column for column in described if column.startswith("fc.weight.")]].isna().all()
    assert np.isfinite(method.predict(make_models({"w4": tensors}))).all()


def test_rows_follow_the_models_whatever_their_architectures(population: Population) -> None:
    described = MODULE.describe(population.models)
    alone = MODULE.describe(population.models[[7]])
    shared = described.columns.intersection(alone.columns)
    np.testing.assert_allclose(alone[shared].iloc[0], described[shared].iloc[7], rtol=1e-6)


@pytest.mark.parametrize("classify", [True, False])
def test_the_best_of_what_was_searched_is_used(classify: bool, population: Population) -> None:
    method = make_method("spectral")
    target = population.target(classify=classify)
    method.fit(population.models, target, population.context("spectral", classify=classify))
    assert method.search[method.settings] == min(method.search.values())


def test_the_search_holds_out_whole_cells(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = GroupKFold.split

    def recording(self, features, labels=None, groups=None):
        for train, test in original(self, features, labels, groups):
            seen.append(set(groups[train]) & set(groups[test]))
            yield train, test

    monkeypatch.setattr(GroupKFold, "split", recording)
    method = make_method("spectral")
    method.fit(population.models, population.values, population.context("spectral", classify=False))
    assert seen
    assert not any(seen)
