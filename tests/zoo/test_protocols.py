"""The protocols' splits, as properties over random grids."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslbench.annotation.protocol_splits import protocol_splits
from wslbench.errors import SplitError
from wslbench.zoo import PROTOCOLS, make_split

AXES = {"load": "width", "temperature": "rate"}


def grid(widths: int, rates: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    cells = pd.DataFrame(
        [
            {
                "cell_id": f"w{width}-r{rate}",
                "width": width,
                "rate": rate / 100,
                "phase": random.choice(["I", "II", "III"]),
            }
            for width in range(2, widths + 2)
            for rate in range(rates)
        ]
    )
    runs = cells[["cell_id"]].merge(pd.DataFrame({"seed": [0, 1]}), how="cross")
    return cells, runs.assign(run_id=runs["cell_id"] + "-" + runs["seed"].astype(str))


@given(widths=st.integers(2, 6), rates=st.integers(2, 6), seed=st.integers(0, 99))
def test_phases_are_spread_evenly_over_folds(widths: int, rates: int, seed: int) -> None:
    cells, runs = grid(widths, rates, seed)
    split = make_split(cells, runs, "phase-stratified", 0, **AXES, folds=3)
    counts = split.table.drop_duplicates("cell_id").merge(cells, on="cell_id")
    sizes = counts.groupby("fold").size().reindex(range(3), fill_value=0)
    assert sizes.max() - sizes.min() <= 1
    for _, rows in counts.groupby("phase"):
        spread = rows.groupby("fold").size().reindex(range(3), fill_value=0)
        assert spread.max() - spread.min() <= 1


@given(widths=st.integers(2, 7), rates=st.integers(2, 7), seed=st.integers(0, 99))
def test_blocks_are_contiguous_and_even(widths: int, rates: int, seed: int) -> None:
    cells, runs = grid(widths, rates, seed)
    for protocol, column, count in (("new-load", "width", widths), ("new-temperature", "rate", rates)):
        split = make_split(cells, runs, protocol, 0, **AXES)
        assert split.unit == column
        assert len(split.folds) == min(4, count)
        by_value = split.table.merge(cells, on="cell_id").groupby(column)["fold"].agg(["nunique", "first"])
        assert (by_value["nunique"] == 1).all()
        assert by_value["first"].is_monotonic_increasing
        sizes = by_value["first"].value_counts()
        assert sizes.max() - sizes.min() <= 1


@given(widths=st.integers(2, 6), rates=st.integers(2, 6), seed=st.integers(0, 99))
def test_each_phase_is_held_out_once_and_as_a_whole(widths: int, rates: int, seed: int) -> None:
    cells, runs = grid(widths, rates, seed)
    phases = dict(zip(cells["cell_id"], cells["phase"], strict=True))
    if len(set(phases.values())) < 2:
        return
    split = make_split(cells, runs, "new-phase", 0, **AXES)
    assert split.unit == "phase"
    tested: list[str] = []
    for fold in split.folds:
        test, train = split.test_runs(fold), split.train_runs(fold)
        assert sorted([*test, *train]) == sorted(runs["run_id"])
        (phase,) = {phases[run.rsplit("-", 1)[0]] for run in test}
        assert phase not in {phases[run.rsplit("-", 1)[0]] for run in train}
        tested.append(phase)
    assert tested == sorted(set(phases.values()))


def test_a_phase_of_one_cell_is_a_fold_and_cells_without_phase_are_left_out() -> None:
    cells, runs = grid(3, 3, 1)
    cells["phase"] = ["IV-B", None, "II", "II", "I", "I", "I", None, "I"]
    split = make_split(cells, runs, "new-phase", 0, **AXES)
    folds = split.table.drop_duplicates("cell_id").groupby("fold")["cell_id"].apply(sorted).to_dict()
    names = cells["cell_id"]
    assert folds == {0: sorted(names[[4, 5, 6, 8]]), 1: sorted(names[[2, 3]]), 2: [names[0]]}
    assert dict(zip(split.table["fold"], split.table["unit"], strict=True)) == {0: "I", 1: "II", 2: "IV-B"}


def test_one_phase_leaves_nothing_to_train_on() -> None:
    cells, runs = grid(3, 3, 1)
    with pytest.raises(SplitError, match="'new-phase' has 1 folds"):
        make_split(cells.assign(phase="II"), runs, "new-phase", 0, **AXES)
    with pytest.raises(SplitError, match="no cell to make the split 'new-phase'"):
        make_split(cells.assign(phase=None), runs, "new-phase", 0, **AXES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_row_order_does_not_matter(protocol: str) -> None:
    cells, runs = grid(5, 4, 1)
    split = make_split(cells, runs, protocol, 3, **AXES)
    shuffled = make_split(
        cells.sample(frac=1, random_state=1), runs.sample(frac=1, random_state=2), protocol, 3, **AXES
    )
    assert split.hash == shuffled.hash


def test_the_seed_changes_the_deal() -> None:
    cells, runs = grid(5, 4, 1)
    hashes = {make_split(cells, runs, "phase-stratified", seed, **AXES).hash for seed in range(3)}
    assert len(hashes) == 3


def test_runs_of_cells_left_out_are_left_out() -> None:
    cells, runs = grid(3, 3, 1)
    split = make_split(cells.iloc[2:], runs, "new-load", 0, **AXES)
    assert set(split.table["cell_id"]) == set(cells["cell_id"].iloc[2:])


def many_seeds(seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    cells, _ = grid(2, 2, 0)
    runs = cells[["cell_id"]].merge(pd.DataFrame({"seed": range(seeds)}), how="cross")
    return cells, runs.assign(run_id=runs["cell_id"] + "-" + runs["seed"].astype(str))


def test_seeds_within_cells_are_dealt_evenly_and_alone() -> None:
    cells, runs = many_seeds(66)
    split = make_split(cells, runs, "within-cell-seeds", 0, **AXES)
    assert split.unit == "run"
    counts = split.table.groupby(["cell_id", "fold"]).size().unstack()
    assert counts.shape == (4, 4)
    assert set(counts.to_numpy().ravel()) == {16, 17}
    assert sorted(split.table["run_id"]) == sorted(runs["run_id"])
    split.validate_against(runs)
    again = make_split(cells, runs.sample(frac=1, random_state=1), "within-cell-seeds", 0, **AXES)
    assert again.hash == split.hash
    assert make_split(cells, runs, "within-cell-seeds", 1, **AXES).hash != split.hash


def test_few_seeds_are_not_torn_apart() -> None:
    with pytest.raises(SplitError, match="has 31 seeds: 'within-cell-seeds' takes 32"):
        make_split(*many_seeds(31), "within-cell-seeds", 0, **AXES)


@pytest.mark.parametrize("seeds", [5, 40])
def test_a_zoo_gets_the_protocol_only_where_its_cells_have_many_seeds(seeds: int) -> None:
    cells, runs = many_seeds(seeds)
    indexed = cells.set_index("cell_id").assign(unfinished=False)
    splits, _ = protocol_splits("zoo", indexed, runs, "width", "rate")
    assert ("within-cell-seeds" in {split.protocol for split in splits}) == (seeds == 40)


def test_protocols_that_need_no_phase_are_there_without_any() -> None:
    cells, runs = grid(3, 3, 2)
    indexed = cells.assign(phase=None, unfinished=False).set_index("cell_id")
    splits, refused = protocol_splits("zoo", indexed, runs, *AXES.values())
    assert {split.protocol for split in splits} == {"new-load", "new-temperature"}
    assert all(set(split.table["run_id"]) == set(runs["run_id"]) for split in splits)
    assert len(refused) == 2
    # One phase somewhere, and cells without a phase are left out again; so are unfinished ones.
    indexed.loc[indexed.index[:4], "phase"] = "I"
    indexed.loc[indexed.index[0], "unfinished"] = True
    splits, _ = protocol_splits("zoo", indexed, runs, *AXES.values())
    assert splits
    assert all(set(split.table["cell_id"]) == set(indexed.index[1:4]) for split in splits)


def test_a_cell_without_phase_cannot_be_stratified() -> None:
    cells, runs = grid(3, 3, 1)
    cells.loc[4, "phase"] = None
    with pytest.raises(SplitError, match=f"cell {cells.loc[4, 'cell_id']!r} has no phase"):
        make_split(cells, runs, "phase-stratified", 0, **AXES)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(SplitError, match="unknown protocol 'random'"):
        make_split(*grid(3, 3, 1), "random", 0, **AXES)


def test_one_value_is_too_little_to_extrapolate() -> None:
    cells, runs = grid(1, 4, 1)
    with pytest.raises(SplitError, match="1 folds"):
        make_split(cells, runs, "new-load", 0, **AXES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_cells_make_no_split(protocol: str) -> None:
    nothing = pd.DataFrame({"cell_id": [], "phase": [], "load": [], "temperature": []})
    with pytest.raises(SplitError, match="no cell"):
        make_split(
            nothing, pd.DataFrame({"run_id": [], "cell_id": []}), protocol, 0, load="load", temperature="temperature"
        )
