"""Splits refuse to leak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wslbench.errors import SplitError
from wslbench.zoo import Split, load_zoo
from wslbench.zoo.splits import read_split, unit_name, write_split


def table(**changes: list[object]) -> pd.DataFrame:
    """Four runs: two cells of two seeds, a fold each."""
    columns = {
        "run_id": ["a0", "a1", "b0", "b1"],
        "cell_id": ["a", "a", "b", "b"],
        "unit": ["a", "a", "b", "b"],
        "fold": [0, 0, 1, 1],
    }
    return pd.DataFrame({**columns, **changes})


def test_every_run_is_tested_once_and_never_beside_its_training() -> None:
    split = Split("p", "cell", table())
    assert split.folds == [0, 1]
    assert split.test_runs(0).tolist() == split.train_runs(1).tolist() == ["a0", "a1"]
    for fold in split.folds:
        assert not set(split.test_runs(fold)) & set(split.train_runs(fold))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run_id": ["a0", "a0", "b0", "b1"]}, "run 'a0' stands in it twice"),
        ({"fold": [0, 1, 1, 1]}, r"cell 'a' is tested in folds \[0, 1\]"),
        ({"unit": ["a", "a", "a", "a"]}, "cell 'a' is tested in folds"),
        ({"fold": [0, 0, 0, 0]}, "1 folds: nothing to train on"),
        ({"fold": [0.5, 0.5, 1.0, 1.0]}, "whole-numbered"),
        ({"unit": [None, "a", "b", "b"]}, "without cell, unit"),
    ],
)
def test_a_leaking_or_empty_split_is_refused(changes: dict[str, list[object]], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        Split("p", "cell", table(**changes))


def test_a_unit_across_folds_is_refused_even_where_cells_are_whole() -> None:
    with pytest.raises(SplitError, match="width '2' is tested in folds"):
        Split("p", "width", table(unit=["2", "2", "2", "2"]))


def test_a_cell_may_be_torn_only_where_the_run_is_the_unit() -> None:
    torn = table(unit=["a0", "a1", "b0", "b1"], fold=[0, 1, 0, 1])
    assert Split("within-cell-seeds", "run", torn).folds == [0, 1]
    with pytest.raises(SplitError, match="cell 'a'"):
        Split("p", "seed-name", torn)


def test_a_missing_column_and_a_missing_fold_are_named() -> None:
    with pytest.raises(SplitError, match="lacks the column 'unit'"):
        Split("p", "cell", table().drop(columns="unit"))
    with pytest.raises(SplitError, match=r"no fold 7; it has \[0, 1\]"):
        Split("p", "cell", table()).test_runs(7)


def test_the_hash_is_of_membership_and_not_of_row_order() -> None:
    split = Split("p", "cell", table())
    assert Split("p", "cell", table().iloc[::-1]).hash == split.hash
    assert Split("q", "cell", table()).hash != split.hash
    assert Split("p", "cell", table(fold=[1, 1, 0, 0])).hash != split.hash


def test_a_split_comes_back_from_its_file(tmp_path: Path) -> None:
    split = Split("p", "cell", table())
    write_split(split, tmp_path / "p.parquet")
    again = read_split(tmp_path / "p.parquet", "p")
    assert (again.protocol, again.unit, again.hash) == ("p", "cell", split.hash)


def test_committed_splits_fit_their_zoo(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    for protocol in zoo.protocols:
        split = zoo.split(protocol)
        assert sorted(split.table["run_id"]) == sorted(zoo.table["run_id"].unique())


@pytest.mark.parametrize(
    ("protocol", "change", "message"),
    [
        ("phase-stratified", lambda rows: rows.assign(run_id="x" + rows["run_id"]), "which is not in the zoo"),
        ("phase-stratified", lambda rows: rows.iloc[1:], "without its run"),
        (
            "new-load",
            lambda rows: rows.assign(unit=rows["unit"].replace("2", "3").where(rows["fold"] == 0, "2")),
            "into unit",
        ),
    ],
)
def test_a_split_that_does_not_fit_the_zoo_is_refused(
    built_tiny_zoo: Path, protocol: str, change: object, message: str
) -> None:
    zoo = load_zoo(built_tiny_zoo)
    split = zoo.split(protocol)
    with pytest.raises(SplitError, match=message):
        Split(protocol, split.unit, change(split.table)).validate_against(zoo.table)  # type: ignore[operator]


def test_swapped_cells_are_refused(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    rows = zoo.split("phase-stratified").table
    first, second = rows["cell_id"].unique()[:2]
    swapped = rows["cell_id"].replace({first: second, second: first})
    with pytest.raises(SplitError, match="into cell_id"):
        Split("p", "cell", rows.assign(cell_id=swapped, unit=swapped, fold=rows["fold"])).validate_against(zoo.table)


@pytest.mark.parametrize(("value", "name"), [(2, "2"), (2.0, "2"), (np.float64(0.05), "0.05"), (np.int64(7), "7")])
def test_a_value_has_one_name(value: object, name: str) -> None:
    assert unit_name(value) == name


def test_holding_out_an_unknown_column_is_refused(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    with pytest.raises(SplitError, match="holds out 'depth', which is no column"):
        Split("p", "depth", zoo.split("new-load").table).validate_against(zoo.table)
