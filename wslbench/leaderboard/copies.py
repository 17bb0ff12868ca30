"""Results with the same answers to one task under several names: one of them is a copy, with two exceptions.

Methods rightly coincide where they know nothing of the models: one that supports none of them, or whose features tell
them nothing, answers every model of a fold alike, as chance does. And floors may coincide with each other: what
hyper-parameters are read off weights can be right for all of them.

Whoever changes a digit of each answer is not found; that is for people to see, who read the methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wslbench.errors import ResultError
from wslbench.evaluation.floors import FLOORS
from wslbench.evaluation.predictions import read_predictions
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import ResultRecord


class Given(NamedTuple):
    """A method's answers to a task: their hash, and the record that they stand beside."""

    predictions: str
    path: Path


def copies_among(task: str, given: Mapping[str, Given]) -> list[str]:
    """A line for every set of methods with the same answers to a task, but for those that may coincide."""
    by_hash: dict[str, list[str]] = {}
    for name, answers in given.items():
        by_hash.setdefault(answers.predictions, []).append(name)
    return [
        f"{task}: {', '.join(names[:-1])} and {names[-1]} have the same predictions: one result under "
        f"{len(names)} names."
        for names in by_hash.values()
        if len(names) > 1 and not _may_coincide(names, given[names[0]].path)
    ]


class Taken:
    """Whose answers are on a board, those that came before in the same call among them."""

    def __init__(self, board: Path) -> None:
        self._board = board
        self._given: dict[str, dict[str, Given]] = {}

    def original(self, record: ResultRecord, path: Path) -> Path | None:
        """The result of another method that one is a copy of."""
        mine = record.method.name
        for name, answers in self._of(path).items():
            same = name != mine and answers.predictions == record.provenance.predictions
            if same and not _may_coincide([mine, name], path):
                return answers.path
        return None

    def take(self, record: ResultRecord, path: Path) -> None:
        """From now on a result counts, in the place of an earlier one of its method."""
        self._of(path)[record.method.name] = Given(record.provenance.predictions, path)

    def _of(self, path: Path) -> dict[str, Given]:
        if path.name not in self._given:
            self._given[path.name] = {}
            for other in sorted(self._board.glob(f"*/{path.name}")):
                try:
                    answers = Given(read_record(other).provenance.predictions, other)
                except ResultError:  # is named where the board is read
                    continue
                self._given[path.name][other.parent.name] = answers
        return self._given[path.name]


def _may_coincide(names: list[str], path: Path) -> bool:
    """Whether methods may have the same answers, which stand beside the record at ``path``."""
    return set(names) <= set(FLOORS) or tells_nothing(read_predictions(path.with_suffix(".parquet")))


def tells_nothing(answers: pd.DataFrame) -> bool:
    """Whether answers are the same for all models of a fold and seed, or there are none."""
    columns = [name for name in answers.columns if name == "prediction" or name.startswith("p:")]
    if answers.empty or not columns:
        return answers.empty
    return bool((answers.groupby(["seed", "fold"])[columns].nunique(dropna=False) <= 1).all(axis=None))
