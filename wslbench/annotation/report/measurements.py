"""What a zoo has measured, as the report needs it: a row a cell, with standard errors, labels and flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from pydantic import ValidationError

from wslbench.annotation.report.continued import continued_labels
from wslbench.annotation.report.labels import labels_by, only_phases
from wslbench.annotation.report.pair_values import TEST_CONNECTIVITY, end_errors, pair_means, with_test_connectivity
from wslbench.annotation.report.settings import setting
from wslbench.errors import LandscapeError, ZooFormatError
from wslbench.landscape import ORDER_PARAMETERS, PhaseCutoffs, fit_cutoffs

if TYPE_CHECKING:
    from wslbench.zoo import Zoo, ZooCard

RUN_QUANTITIES = (
    "train_loss",
    "hessian_trace",
    "hessian_top_eigenvalue",
    "test_loss",
    "test_accuracy",
    "relative_l2_error",
    "hessian_trace_test",
    "hessian_top_eigenvalue_test",
)
"""Measured on a run; a cell has their mean, and its standard error between seeds."""

PAIR_QUANTITIES = (
    "mode_connectivity",
    "cka",
    TEST_CONNECTIVITY,
    "linear_connectivity",
    "aligned_linear_connectivity",
    "longer_mode_connectivity",
)
"""Measured on a pair of seeds; a cell has their mean, and its jackknife error over seeds."""


class Measurements(NamedTuple):
    """One zoo, measured.

    Attributes
    ----------
    name, card
        Of the zoo.
    cells
        A row a cell, indexed by ``cell_id``, by load and then temperature: the axes, ``runs``, ``pairs``, those of
        the quantities that the zoo has, each with ``<name>_se``; ``phase`` as stored (None if not one of the five),
        ``phase_probability``, ``unfinished``, ``dead``; ``labelled``, whether the rule can say anything of it;
        ``rule_phase``, what ``cutoffs`` say; ``continued_phase``.
    runs
        A row a measured checkpoint.
    pairs
        A row a pair of seeds at the measured epoch.
    end_errors
        Error of each seed, per cent ``[cell_id, seed]``; empty where the zoo does not tell.
    cutoffs
        Those of the card, or, where it has none, fitted on the labelled cells; None if that cannot be done.
    frozen
        Whether the card has them.
    problem
        Why there are no cut-offs.
    """

    name: str
    card: ZooCard
    cells: pd.DataFrame
    runs: pd.DataFrame
    pairs: pd.DataFrame
    end_errors: pd.Series
    cutoffs: PhaseCutoffs | None
    frozen: bool
    problem: str

    @property
    def labelled(self) -> pd.DataFrame:
        """The cells on which the rule's cut-offs rest."""
        return self.cells[self.cells["labelled"]]

    @property
    def refits(self) -> bool:
        """Whether the cut-offs come from the cells, so that another choice moves them."""
        return self.cutoffs is not None and self.cutoffs.train_loss_separability is not None

    @property
    def noise_factor(self) -> float | None:
        """By how much the zoo multiplies the noise between seeds to get its tolerance of connectivity."""
        factor = setting(self.card, "connectivity_noise")
        return factor if factor and "connectivity_tolerance" in self.cells else None


def measurements(zoo: Zoo) -> Measurements:
    """Read a zoo's tables and put its labels beside what they rest on.

    Raises
    ------
    ZooFormatError
        If the table lacks an axis of the grid.
    LandscapeError
        If two cells stand at one place of the grid.
    """
    table, card = zoo.table, zoo.card
    runs = table[table["measured"].to_numpy(dtype=bool)].sort_values(["cell_id", "seed"])
    places = [card.load.column, card.temperature.column]
    for place in places:
        if place not in runs or not pd.api.types.is_numeric_dtype(runs[place]):
            raise ZooFormatError(f"zoo {zoo.name!r}: its table has no column of numbers {place!r}, an axis of its grid")
    all_pairs = with_test_connectivity(zoo.pairs)
    at_epoch = all_pairs["epoch"] == card.measured_epoch if "epoch" in all_pairs else np.full(len(all_pairs), True)
    pairs = all_pairs[at_epoch].sort_values(["cell_id", "seed_a", "seed_b"]).reset_index(drop=True)
    cells = _cells(runs, pairs, places)
    if cells.duplicated(places).any():
        raise LandscapeError(f"zoo {zoo.name!r} has several cells of one {places[0]} and {places[1]}: not a plane grid")
    cutoffs = _stored_cutoffs(card)
    frozen, problem = cutoffs is not None, ""
    if cutoffs is None:
        try:
            cutoffs = fit_cutoffs(cells[cells["labelled"]])
        except LandscapeError as error:
            problem = str(error)
    cells["rule_phase"] = labels_by(cells, cutoffs, cells["labelled"])
    errors = end_errors(pairs)
    found = Measurements(zoo.name, card, cells, runs, pairs, errors, cutoffs, frozen, problem)
    later = all_pairs[~at_epoch & (all_pairs["epoch"] > card.measured_epoch)] if "epoch" in all_pairs else pairs[:0]
    cells["continued_phase"] = continued_labels(cells, runs, later, cutoffs, found.noise_factor)
    return found


def _cells(runs: pd.DataFrame, pairs: pd.DataFrame, places: list[str]) -> pd.DataFrame:
    by_cell = runs.groupby("cell_id", sort=True)
    cells = by_cell[places].first().assign(runs=by_cell.size())
    cells["pairs"] = pairs.groupby("cell_id").size().reindex(cells.index, fill_value=0)
    for name in RUN_QUANTITIES:
        if name in runs:
            values = _numbers(runs, name).groupby(runs["cell_id"])
            cells[name] = values.mean().where(values.count() == values.size())
            cells[f"{name}_se"] = values.std(ddof=1) / np.sqrt(values.size())
    for name in PAIR_QUANTITIES:
        stored = _numbers(runs, name).groupby(runs["cell_id"]).mean() if name in runs else None
        if name in pairs:
            measured = pair_means(pairs, name).reindex(cells.index)
            cells[name] = measured["mean"] if stored is None else stored
            cells[f"{name}_se"] = measured["error"]
        elif stored is not None:
            cells[name], cells[f"{name}_se"] = stored, np.nan
        if f"{name}_se" in runs:
            cells[f"{name}_se"] = _numbers(runs, f"{name}_se").groupby(runs["cell_id"]).mean()
    for name in ("connectivity_tolerance", "phase_probability"):
        if name in runs:
            cells[name] = _numbers(runs, name).groupby(runs["cell_id"]).mean()
    cells["phase"] = only_phases(by_cell["phase"].first())
    for name in ("unfinished", "dead", "diverged"):
        flags = _numbers(runs, name) > 0 if name in runs else pd.Series(False, index=runs.index)
        cells[name] = flags.groupby(runs["cell_id"]).any()
    cells["dead"] |= cells.pop("diverged")
    for name in ORDER_PARAMETERS:
        if name not in cells:
            cells[name] = cells[f"{name}_se"] = np.nan
    numbers = cells[list(ORDER_PARAMETERS)].to_numpy(dtype=np.float64)
    cells["labelled"] = ~cells["dead"] & np.isfinite(numbers).all(axis=1) & (cells["train_loss"] > 0)
    return cells.sort_values(places, kind="stable")


def _numbers(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column as float64; what is no number is missing."""
    return pd.to_numeric(rows[column], errors="coerce").astype("float64")


def _stored_cutoffs(card: ZooCard) -> PhaseCutoffs | None:
    stored = (card.phase_rule or {}).get("cutoffs")
    if not isinstance(stored, Mapping):
        return None
    try:
        cutoffs = PhaseCutoffs.model_validate(dict(stored))
    except ValidationError:
        return None
    usable = np.isfinite([cutoffs.train_loss, cutoffs.cka]).all() and cutoffs.train_loss > 0
    return cutoffs if usable else None
