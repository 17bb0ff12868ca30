"""The zoo of many seeds: what its recipe says, in the phases that digits-cnn's frozen cut-offs give it."""

from __future__ import annotations

from pathlib import Path

import pytest

import wslbench
from wslbench.bundled import embedded_zoos_path
from wslbench.landscape import PhaseCutoffs, assign_phases
from wslbench.population.recipe_file import load_recipe
from wslbench.zoo import Zoo
from wslbench.zoo.verify import verify

NAME = "digits-cnn-seeds"


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return wslbench.load_zoo(NAME)


def test_it_is_whole_and_small(zoo: Zoo) -> None:
    assert verify(zoo) == []
    files = [path for path in Path(embedded_zoos_path() / NAME).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12 * 2**20


def test_four_temperatures_of_256_seeds_in_three_phases(zoo: Zoo) -> None:
    cells = zoo.table.groupby("cell_id").agg(seeds=("seed", "nunique"), phase=("phase", "first"))
    assert list(cells["seeds"]) == [256] * 4
    assert sorted(cells["phase"]) == ["I", "II", "III", "III"]
    assert zoo.table["phase_probability"].min() > 0.8
    assert zoo.table["architecture"].nunique() == 1


def test_the_cut_offs_are_those_of_digits_cnn_and_give_the_stored_phases(zoo: Zoo) -> None:
    own = load_recipe(NAME).cutoffs
    frozen = wslbench.load_zoo("digits-cnn").card.phase_rule["cutoffs"]
    assert own is not None
    for name in ("train_loss", "cka", "mode_connectivity"):
        assert getattr(own, name) == frozen[name] == zoo.card.phase_rule["cutoffs"][name]
    cells = zoo.cells
    phases = assign_phases(cells, PhaseCutoffs(**zoo.card.phase_rule["cutoffs"]))["phase"]
    assert list(phases) == list(cells["phase"])


def test_a_cell_is_compared_on_twelve_disjoint_pairs(zoo: Zoo) -> None:
    for _, pairs in zoo.pairs[zoo.pairs["mode_connectivity"].notna()].groupby("cell_id"):
        assert len(pairs) == 12
        assert len({*pairs["seed_a"], *pairs["seed_b"]}) == 24


def test_a_quarter_of_every_cell_is_held_out(zoo: Zoo) -> None:
    split = zoo.split("within-cell-seeds").table
    held_out = split[split["fold"] == 0].groupby("cell_id").size()
    assert list(held_out) == [64] * 4
