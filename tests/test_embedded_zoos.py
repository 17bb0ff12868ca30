"""The zoo that ships with wslbench is what the design promises: complete, sound, the right way round, without leaks."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch.nn.functional import cross_entropy

import wslbench
from wslbench.landscape import PHASES, PhaseCutoffs, assign_phases, fit_cutoffs
from wslbench.population.build import fingerprint
from wslbench.population.objective import recipe_dataset
from wslbench.population.recipe import Recipe
from wslbench.population.recipe_file import load_recipe
from wslbench.zoo import PROTOCOLS, verify

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def zoo():
    return wslbench.load_zoo("digits-cnn")


@pytest.fixture(scope="module")
def finished(zoo):
    cells = zoo.cells
    return cells[~cells["unfinished"] & cells["phase"].isin(PHASES)]


def test_sound_small_and_complete(zoo):
    assert verify(zoo) == []
    assert sum(path.stat().st_size for path in zoo.path.rglob("*") if path.is_file()) <= 30 * MEGABYTE
    table = zoo.table
    assert table["width"].nunique() >= 12
    assert table["learning_rate"].nunique() >= 12
    assert (table.groupby("cell_id")["seed"].nunique() == 5).all()
    assert (table.groupby("run_id")["epoch"].nunique() == 2).all()
    assert table.groupby("run_id")["measured"].sum().eq(1).all()
    assert set(zoo.protocols) == set(PROTOCOLS)


def test_five_phases_in_at_least_twelve_finished_cells(finished):
    counts = finished["phase"].value_counts()
    assert set(counts.index) == set(PHASES)
    assert counts.min() >= 12


def test_published_orientation(zoo, finished):
    """I and II lie hotter than III and IV at the same width; II and IV are wider than I and III."""
    for _, column in finished.groupby("width"):
        hot = column.loc[column["phase"].isin(["I", "II"]), "learning_rate"]
        cold = column.loc[~column["phase"].isin(["I", "II"]), "learning_rate"]
        if len(hot) and len(cold):
            assert hot.median() > cold.median()
    width = finished.groupby("phase")["width"].mean()
    assert width["II"] > width["I"]
    assert min(width["IV-A"], width["IV-B"]) > width["III"]
    coldest = finished[finished["learning_rate"] == finished["learning_rate"].min()]
    assert not set(coldest["phase"]) & {"II"}, "a connected cell that does not converge at the cold end is unfinished"


def test_no_dead_cell(zoo):
    assert not zoo.cells["dead"].any()
    assert zoo.table.loc[zoo.table["measured"], "train_accuracy"].min() > 0.5


def test_stored_phases_follow_from_stored_order_parameters(zoo):
    cells = zoo.cells
    fitted = fit_cutoffs(cells)
    stored = PhaseCutoffs.model_validate(zoo.card.phase_rule["cutoffs"])
    assert fitted.train_loss == pytest.approx(stored.train_loss)
    assert fitted.cka == pytest.approx(stored.cka)
    assert list(assign_phases(cells, stored)["phase"]) == list(cells["phase"])
    assert list(assign_phases(cells, zoo.card.phase_rule["cutoffs"])["phase"]) == list(cells["phase"])


def test_grown_from_the_recipe_that_ships():
    zoo = wslbench.load_zoo("digits-cnn")
    stored = {name: value for name, value in zoo.card.recipe.items() if name not in ("trainer_version", "stacked")}
    stored["longer_curve_pairs"] = zoo.card.annotation["options"]["longer_curve_pairs"]  # came with version 2
    card = {name: getattr(zoo.card, name) for name in ("description", "licence", "citation", "modality")}
    assert fingerprint(Recipe.model_validate(stored | {"card": card})) == fingerprint(load_recipe("digits-cnn"))


def test_dtype_names_and_order_are_the_same_everywhere(zoo):
    names = set()
    for stack in zoo.models().by_architecture():
        names.add(tuple(stack.keys()))
        for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
            assert stack[name].dtype == np.float32
            assert np.isfinite(stack[name]).all()
            assert "num_batches" not in name
    assert len(names) == 1


def test_nothing_constant_in_a_cell_gives_the_temperature_away(zoo):
    """Width plus any number that all seeds of a cell share must not predict the learning rate."""
    table = zoo.table[zoo.table["measured"]]
    for stack in zoo.models(table.index).by_architecture():
        rows = table.iloc[stack.positions]
        cell = rows["cell_id"].to_numpy(dtype=object)
        target = np.log(rows["learning_rate"].to_numpy())
        for name in stack.keys():  # noqa: SIM118
            flat = stack[name].reshape(len(rows), -1).astype(np.float64)
            assert not (flat == np.round(flat)).all(), f"{name} holds integers"
            spread = np.max([np.ptp(flat[cell == c], axis=0) for c in np.unique(cell)], axis=0)
            constant = flat[:, spread == 0]
            if constant.shape[1]:
                score = LinearRegression().fit(constant, target).score(constant, target)
                assert score < 0.05, f"{name} holds {constant.shape[1]} numbers that tell the temperature"


def test_row_order_tells_nothing(zoo):
    table = zoo.table[zoo.table["measured"]]
    for _, shard in table.groupby("shard"):
        order = shard.sort_values("row")["learning_rate"].to_numpy()
        steps = np.mean([later > earlier for earlier, later in pairwise(order)])
        assert 0.25 < steps < 0.75
        assert abs(np.corrcoef(np.arange(len(order)), np.log(order))[0, 1]) < 0.5


def test_measurements_are_those_of_the_stored_weights(zoo):
    data = recipe_dataset(load_recipe("digits-cnn"))
    train_inputs, train_labels, test_inputs, test_labels = map(
        torch.from_numpy, (data.train_inputs, data.train_labels, data.test_inputs, data.test_labels)
    )
    table = zoo.table
    some = table[table["measured"]].sample(12, random_state=0)
    for model, (_, row) in zip(zoo.models(some.index), some.iterrows(), strict=True):
        with torch.no_grad():
            network = model.module()
            train, test = network(train_inputs), network(test_inputs)
        assert cross_entropy(train, train_labels).item() == pytest.approx(row["train_loss"], rel=1e-3, abs=1e-5)
        assert cross_entropy(test, test_labels).item() == pytest.approx(row["test_loss"], rel=1e-3, abs=1e-5)
        accuracy = (test.argmax(1) == test_labels).double().mean().item()
        assert accuracy == pytest.approx(row["test_accuracy"], abs=2 / len(test_labels))


def test_seeds_of_different_cells_share_no_initialisation(zoo):
    early = zoo.table[~zoo.table["measured"] & (zoo.table["width"] == 8) & (zoo.table["seed"] == 0)]
    (stack,) = zoo.models(early.index).by_architecture()
    flat = stack["conv3.weight"].reshape(len(early), -1)
    correlation = np.corrcoef(flat) - np.eye(len(early))
    assert np.abs(correlation).max() < 0.3
