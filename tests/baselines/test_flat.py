"""Flat: a model for every architecture, found inside its train models, and chance for an architecture never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.model_selection import GroupKFold

from tests.baselines.made import PHASES, Population, load_baseline, make_method, make_models, network
from wslbench.typing import Context, TaskInfo
from wslbench.zoo import Models

MODULE = load_baseline("flat")
CELLS, SEEDS = 12, 4


def context(groups: np.ndarray, *, classify: bool, seed: int = 0) -> Context:
    kind = "phase_classification" if classify else "accuracy_prediction"
    classes = PHASES if classify else ()
    return Context(TaskInfo("made.up", kind, "made-up"), classes, groups, seed, "cpu", float("inf"))


def aligned(widths: tuple[int, ...] = (2, 3), seed: int = 0) -> tuple[Models, np.ndarray, np.ndarray, np.ndarray]:
    """Models that differ along one direction of their weight space, as if all were trained from one start.

    What is predicted is how far along: the same for all seeds of a cell.
    """
    random = np.random.default_rng(seed)
    level = np.tile(np.linspace(-1, 1, CELLS).repeat(SEEDS), len(widths))
    stacks = {}
    for number, width in enumerate(widths):
        start, direction = (network(random, width, np.ones((1, 1))) for _ in range(2))
        noise = network(random, width, np.ones((CELLS * SEEDS, 1)))
        here = level[: CELLS * SEEDS] * (1 if number % 2 else -1)  # no width can use another's
        stacks[f"w{width}"] = {
            name: (
                start[name] + here.reshape(-1, *[1] * (start[name].ndim - 1)) * direction[name] + 0.3 * noise[name]
            ).astype(np.float32)
            for name in start
        }
    groups = np.arange(len(widths) * CELLS).repeat(SEEDS)
    phases = np.array(PHASES, dtype=object)[np.digitize(level, [-0.6, -0.2, 0.2, 0.6])]
    return make_models(stacks), level, phases, groups


def halves(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.flatnonzero(groups % 2 == 0), np.flatnonzero(groups % 2 == 1)


def test_what_stands_in_the_raw_weights_is_learned_on_cells_that_were_held_out() -> None:
    models, values, phases, groups = aligned()
    train, test = halves(groups)
    method = make_method("flat")
    method.fit(models[train], values[train], context(groups[train], classify=False))
    assert kendalltau(method.predict(models[test]), values[test]).statistic > 0.8
    method.fit(models[train], phases[train], context(groups[train], classify=True))
    hits = np.array(PHASES, dtype=object)[method.predict(models[test]).argmax(axis=1)] == phases[test]
    assert hits.mean() > 0.6


def test_an_architecture_that_training_lacked_gets_what_chance_says() -> None:
    models, values, phases, groups = aligned()
    values = values + 3
    known = np.flatnonzero(groups < CELLS)
    unknown = np.flatnonzero(groups >= CELLS)
    seen = known[phases[known] != "II"]
    for target, classify in ((values, False), (phases, True)):
        method, chance = make_method("flat"), make_method("chance")
        for each in (method, chance):
            each.fit(models[seen], target[seen], context(groups[seen], classify=classify))
        mixed = np.concatenate([unknown[:2], seen[:3], unknown[2:4]])
        prediction = method.predict(models[mixed])
        np.testing.assert_allclose(prediction[[0, 1, 5, 6]], chance.predict(models[unknown[:4]]))
        np.testing.assert_allclose(prediction[2:5], method.predict(models[seen[:3]]), rtol=1e-6)
        assert not np.allclose(prediction[2], prediction[0])


def test_a_single_model_of_an_architecture_teaches_nothing_about_it() -> None:
    models, values, _, groups = aligned()
    rows = [*np.flatnonzero(groups < CELLS).tolist(), CELLS * SEEDS]
    method = make_method("flat")
    method.fit(models[rows], values[rows], context(groups[rows], classify=False))
    assert list(method.settings) == ["w2"]
    np.testing.assert_allclose(method.predict(models[[CELLS * SEEDS + 5]]), values[rows].mean())


def test_an_architecture_is_searched_within_its_own_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    models, values, _, groups = aligned()
    seen: list[set[Any]] = []
    original = GroupKFold.split

    def recording(self, features, labels=None, groups=None):
        seen.append(set(groups))
        for train, test in original(self, features, labels, groups):
            assert not set(groups[train]) & set(groups[test])
            yield train, test

    monkeypatch.setattr(GroupKFold, "split", recording)
    method = make_method("flat")
    method.fit(models, values, context(groups, classify=False))
    assert seen == [set(range(CELLS)), set(range(CELLS, 2 * CELLS))]
    for name, tried in method.search.items():
        assert set(tried) == {(count, penalty) for count in MODULE.COMPONENTS for penalty in MODULE.PENALTIES}
        assert tried[method.settings[name]] == min(tried.values())


def test_held_out_models_move_no_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standardisation and components of an inner fold come from its train models alone."""
    models, values, _, groups = aligned((2,))
    sizes = []
    original = MODULE.Projection.__init__

    def recording(self, vectors):
        sizes.append(len(vectors))
        original(self, vectors)

    monkeypatch.setattr(MODULE.Projection, "__init__", recording)
    method = MODULE.Flat()
    method.fit(models, values, context(groups, classify=False))
    inner = CELLS * SEEDS * (MODULE.INNER_FOLDS - 1) // MODULE.INNER_FOLDS
    assert sizes == [inner] * MODULE.INNER_FOLDS + [CELLS * SEEDS]


def test_one_cell_is_fitted_with_the_defaults() -> None:
    models, values, _, groups = aligned((2,))
    rows = np.flatnonzero(groups == 3)
    method = make_method("flat")
    method.fit(models[rows], values[rows], context(groups[rows], classify=False))
    assert method.search == {"w2": {}}
    assert method.settings == {"w2": MODULE.DEFAULT}
    np.testing.assert_allclose(method.predict(models[rows]), values[rows])


def test_a_rare_phase_counts_like_a_frequent_one() -> None:
    """Two clouds that overlap, one of them ten times as large: unweighted, the small one would hardly be named."""
    random = np.random.default_rng(0)
    rare = np.repeat([True, False], [40, 400])
    stack = {"w": (random.normal(size=(440, 3, 4)) + rare[:, None, None] * 0.3).astype(np.float32)}
    phases = np.where(rare, "I", "III").astype(object)
    method = make_method("flat")
    method.fit(make_models({"one": stack}), phases, context(np.arange(440) // 4, classify=True))
    named = np.array(PHASES)[method.predict(make_models({"one": stack})).argmax(axis=1)]
    assert np.mean(named[rare] == "I") == pytest.approx(np.mean(named[~rare] == "III"), abs=0.15)
    assert np.mean(named[rare] == "I") > 0.6


def test_a_phase_seen_at_another_architecture_alone_is_improbable_but_not_impossible() -> None:
    models, _, phases, groups = aligned()
    rows = np.flatnonzero((phases != "IV-B") & ((phases != "I") | (groups < CELLS)))
    method = make_method("flat")
    method.fit(models[rows], phases[rows], context(groups[rows], classify=True))
    prediction = method.predict(models[np.flatnonzero(groups >= CELLS)])
    assert ((prediction[:, 0] > 0) & (prediction[:, 0] < 0.1)).all()
    assert (prediction[:, PHASES.index("IV-B")] == 0).all()


def test_an_entry_that_is_not_finite_counts_as_zero(population: Population) -> None:
    tensors = network(np.random.default_rng(0), 3, np.ones((2, 1)))
    tensors["fc.weight"][0, 0] = np.nan
    tensors["conv.weight"][1, 0] = np.inf
    (stack,) = make_models({"w3": tensors}).by_architecture()
    flat = MODULE.flatten(stack)
    assert flat.shape == (2, sum(tensor[0].size for tensor in tensors.values()))
    assert np.isfinite(flat).all()
    assert (flat == 0).sum(axis=1).tolist() == [24, 27]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_networks_that_are_all_alike_are_given_their_mean() -> None:
    one = network(np.random.default_rng(0), 2, np.ones((1, 1)))
    tensors = {name: tensor.repeat(6, axis=0) for name, tensor in one.items()}
    method = make_method("flat")
    values = np.arange(6.0)
    method.fit(make_models({"w2": tensors}), values, context(np.arange(6) // 2, classify=False))
    np.testing.assert_allclose(method.predict(make_models({"w2": tensors})), 2.5)
