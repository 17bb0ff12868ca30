"""Splits: fold membership as data that refuses to leak."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import SplitError
from wslbench.zoo.hashing import hash_json, hash_rows
from wslbench.zoo.tables import SPLIT_COLUMNS, plain, read_table, write_table


def unit_name(value: object) -> str:
    """A value of a hyper-parameter as a split writes it: ``2`` (also for 2.0), ``0.05``."""
    plain_value = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain_value, float) and plain_value.is_integer():
        plain_value = int(plain_value)
    return str(plain_value)


@dataclass(frozen=True, eq=False)
class Split:
    """Which runs are tested together; every run is test in one fold and train in all others.

    Attributes
    ----------
    protocol
        The rule that made it, such as ``phase-stratified``.
    unit
        What is held out as a whole: ``cell``, ``run``, ``phase``, or a hyper-parameter's column.
    table
        A row a run: ``run_id``, ``cell_id``, ``unit`` (text), ``fold`` (the fold in which it is test).

    Raises
    ------
    SplitError
        If a run stands twice, a unit in two folds, a cell in two folds (unless the unit is the run itself), or
        there are fewer than two folds.
    """

    protocol: str
    unit: str
    table: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [column for column in SPLIT_COLUMNS if column not in self.table.columns]
        if missing:
            raise SplitError(f"split {self.protocol!r} lacks the column {missing[0]!r}")
        table = plain(self.table[list(SPLIT_COLUMNS)]).sort_values("run_id", ignore_index=True)
        if table.isna().any(axis=None) or not pd.api.types.is_integer_dtype(table["fold"]):
            raise SplitError(f"split {self.protocol!r} has a run without cell, unit or whole-numbered fold")
        object.__setattr__(self, "table", table)
        twice = table["run_id"][table["run_id"].duplicated()]
        if len(twice):
            raise SplitError(f"split {self.protocol!r} leaks: run {twice.iloc[0]!r} stands in it twice")
        self._refuse_torn("unit", self.unit)
        if self.unit != "run":
            self._refuse_torn("cell_id", "cell")
        if len(self.folds) < 2:
            raise SplitError(f"split {self.protocol!r} has {len(self.folds)} folds: nothing to train on")

    def _refuse_torn(self, column: str, meaning: str) -> None:
        spread = self.table.groupby(column)["fold"].nunique()
        torn = spread.index[spread > 1]
        if len(torn):
            folds = sorted(self.table.loc[self.table[column] == torn[0], "fold"].unique().tolist())
            raise SplitError(
                f"split {self.protocol!r} leaks: {meaning} {torn[0]!r} is tested in folds {folds}, "
                "so its other runs stand on the train side"
            )

    @cached_property
    def folds(self) -> list[int]:
        """The folds' numbers, ascending."""
        return [int(fold) for fold in np.unique(self.table["fold"])]

    def test_runs(self, fold: int) -> npt.NDArray[np.object_]:
        """Ids of the runs that are predicted in a fold."""
        return self._runs(self._is_test(fold))

    def train_runs(self, fold: int) -> npt.NDArray[np.object_]:
        """Ids of the runs that a method learns from in a fold: all that are not test."""
        return self._runs(~self._is_test(fold))

    def _is_test(self, fold: int) -> npt.NDArray[np.bool_]:
        if fold not in self.folds:
            raise SplitError(f"split {self.protocol!r} has no fold {fold}; it has {self.folds}")
        return (self.table["fold"] == fold).to_numpy(dtype=bool)

    def _runs(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
        runs: npt.NDArray[np.object_] = self.table["run_id"].to_numpy(dtype=object)[mask]
        return runs

    @cached_property
    def hash(self) -> str:
        """Hash of protocol, unit and membership."""
        return hash_json([self.protocol, self.unit, hash_rows(self.table, ["run_id"])])

    def validate_against(self, table: pd.DataFrame) -> None:
        """Check that the split fits a zoo's table.

        Raises
        ------
        SplitError
            If a run is not in the zoo, stands in another cell or unit there, or a cell is only partly in the split.
        """
        columns = ["run_id", "cell_id"] + ([self.unit] if self.unit not in ("run", "cell") else [])
        if self.unit not in ("run", "cell") and self.unit not in table.columns:
            raise SplitError(f"split {self.protocol!r} holds out {self.unit!r}, which is no column of the zoo")
        runs = table[columns].drop_duplicates("run_id").set_index("run_id")
        strange = self.table["run_id"][~self.table["run_id"].isin(runs.index)]
        if len(strange):
            raise SplitError(f"split {self.protocol!r} names run {strange.iloc[0]!r}, which is not in the zoo")
        mine = self.table.set_index("run_id")
        theirs = runs.loc[mine.index]
        units = {"run": pd.Series(mine.index, index=mine.index), "cell": theirs["cell_id"]}
        expected = units[self.unit] if self.unit in units else theirs[self.unit].map(unit_name)
        for column, values in (("cell_id", theirs["cell_id"]), ("unit", expected)):
            wrong = mine.index[mine[column].to_numpy(dtype=object) != values.to_numpy(dtype=object)]
            if len(wrong):
                raise SplitError(
                    f"split {self.protocol!r} puts run {wrong[0]!r} into {column} {mine.at[wrong[0], column]!r}, "
                    f"the zoo into {values.at[wrong[0]]!r}"
                )
        if self.unit != "run":
            left_out = runs.index[runs["cell_id"].isin(mine["cell_id"]) & ~runs.index.isin(mine.index)]
            if len(left_out):
                cell = runs.at[left_out[0], "cell_id"]
                raise SplitError(f"split {self.protocol!r} holds cell {cell!r} without its run {left_out[0]!r}")


def write_split(split: Split, path: Path) -> None:
    """Write a split as parquet; protocol and unit go into the file's metadata."""
    write_table(split.table, path, {"protocol": split.protocol, "unit": split.unit})


def read_split(path: Path, label: str) -> Split:
    """Read a split and check that it does not leak."""
    table, metadata = read_table(path, SPLIT_COLUMNS, label)
    if not {"protocol", "unit"} <= metadata.keys():
        raise SplitError(f"{label} does not say which protocol and unit it is of")
    return Split(metadata["protocol"], metadata["unit"], table)
