"""The embedded zoo of physics-informed networks: complete, sound, measured as it says, and blind to its load."""

import numpy as np
import pytest
import torch

import wslbench
from tests.training.objectives.test_convection import obvious_loss
from wslbench.datasets import load_dataset
from wslbench.landscape import PHASES, PhaseCutoffs, assign_phases, fit_cutoffs
from wslbench.population.build import fingerprint
from wslbench.population.recipe import Recipe
from wslbench.population.recipe_file import load_recipe
from wslbench.zoo import PROTOCOLS, verify


@pytest.fixture(scope="module")
def zoo():
    return wslbench.load_zoo("convection-pinn")


def test_sound_small_and_complete(zoo):
    assert verify(zoo) == []
    assert sum(path.stat().st_size for path in zoo.path.rglob("*") if path.is_file()) <= 12_000_000
    table = zoo.table
    assert len(table) == 700 == table["run_id"].nunique()
    assert (table.groupby("cell_id")["seed"].nunique() == 5).all()
    assert table.groupby(["beta", "learning_rate"]).ngroups == len(zoo.cells) == 14 * 10
    assert set(zoo.protocols) == set(PROTOCOLS)


def test_grown_from_the_recipe_that_ships(zoo):
    stored = {name: value for name, value in zoo.card.recipe.items() if name not in ("trainer_version", "stacked")}
    stored["longer_curve_pairs"] = zoo.card.annotation["options"]["longer_curve_pairs"]  # came with version 2
    card = {name: getattr(zoo.card, name) for name in ("description", "licence", "citation", "modality")}
    assert fingerprint(Recipe.model_validate(stored | {"card": card})) == fingerprint(load_recipe("convection-pinn"))
    assert all(zoo.card.recipe["stacked"].values())


def test_the_load_shows_in_no_shape(zoo):
    (stack,) = zoo.models().by_architecture()
    assert {name: stack[name].shape[1:] for name in stack.keys()} == {  # noqa: SIM118 - not a mapping
        "layers.0.weight": (60, 2),
        "layers.0.bias": (60,),
        "layers.1.weight": (60, 60),
        "layers.1.bias": (60,),
        "layers.2.weight": (1, 60),
        "layers.2.bias": (1,),
    }


def test_stored_phases_follow_from_stored_order_parameters(zoo):
    cells = zoo.cells
    alive = cells[~cells["dead"]]
    fitted, stored = fit_cutoffs(alive), PhaseCutoffs.model_validate(zoo.card.phase_rule["cutoffs"])
    assert (fitted.train_loss, fitted.cka) == pytest.approx((stored.train_loss, stored.cka))
    assert list(assign_phases(alive, stored)["phase"]) == list(alive["phase"])
    assert cells.loc[cells["dead"], "phase"].isna().all()


def test_connectivity_allows_for_twice_the_spread_between_seeds(zoo):
    table = zoo.table
    spread = 100 * table.groupby("cell_id")["relative_l2_error"].std(ddof=1)
    cells = zoo.cells.set_index("cell_id")
    assert cells["connectivity_tolerance"].to_numpy() == pytest.approx(2 * spread.loc[cells.index].to_numpy())
    joined = cells["mode_connectivity"] >= -np.maximum(2, 2 * spread.loc[cells.index])
    with_phase = cells["phase"].isin(PHASES)
    connected = cells["phase"].isin(["II", "IV-A", "IV-B"])
    assert (joined[with_phase] == connected[with_phase]).all()
    counts = zoo.card.phase_rule["sensitivity"]["connectivity_noise=2"]
    assert counts == {phase: int((cells["phase"] == phase).sum()) for phase in PHASES}


def test_dead_cells_have_a_run_that_learnt_nothing(zoo):
    worst = zoo.table.groupby("cell_id")["train_loss"].max()
    cells = zoo.cells.set_index("cell_id")
    assert ((worst.loc[cells.index] >= 0.5) == cells["dead"]).all()


def test_measurements_are_those_of_the_stored_weights(zoo):
    """The textbook's loss and the analytic solution, network by network."""
    data = load_dataset("convection")
    points = [torch.from_numpy(array) for array in (data.interior, data.initial, data.boundary)]
    some = zoo.table.sample(8, random_state=0)
    for model, (_, row) in zip(zoo.models(some.index), some.iterrows(), strict=True):
        network = model.module()
        assert obvious_loss(network, *points, row["beta"]).item() == pytest.approx(row["train_loss"], rel=1e-3)
        with torch.no_grad():
            values = network(torch.from_numpy(data.grid)).double().numpy()[:, 0]
        x, t = data.grid.astype(np.float64).T
        exact = np.sin(x - row["beta"] * t)
        error = np.linalg.norm(values - exact) / np.linalg.norm(exact)
        assert error == pytest.approx(row["relative_l2_error"], rel=1e-4)


def test_harder_equations_are_learnt_worse(zoo):
    """The orientation: at the largest coefficient nothing is learnt, at the smallest everything that is not hot."""
    cells = zoo.cells
    error = cells.pivot(index="beta", columns="learning_rate", values="relative_l2_error")
    assert error.loc[24].min() > 0.75
    assert error.loc[1].drop(columns=[0.022, 0.033], errors="ignore").iloc[:8].max() < 0.05
    assert not set(cells.loc[cells["beta"] == 24, "phase"]) - {"I", "II"}
    assert set(cells.loc[(cells["beta"] == 1) & (cells["learning_rate"] < 0.01), "phase"]) == {"III"}
