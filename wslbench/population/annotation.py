"""From measured runs and pairs to the annotated table of a zoo: cell means, phases, their certainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wslbench.errors import LandscapeError
from wslbench.landscape import ORDER_PARAMETERS, PHASES, PhaseCutoffs, assign_phases, fit_cutoffs, phase_probability
from wslbench.population.recipe import Recipe
from wslbench.training import seed_from

DEAD_FACTOR = 2.0
"""A cell with a run below this many times chance accuracy on the train set is dead: a failed grid point."""


class Annotation(NamedTuple):
    """The annotated zoo.

    Attributes
    ----------
    table
        A row a stored checkpoint, with everything that ``models.parquet`` holds but ids and places.
    cells
        A row a cell: order parameters, their values at the continued epoch, phase, probability, flags.
    cutoffs
        The frozen numbers of the rule; None if the cells do not allow for any, and no cell has a phase.
    notes
        What the maker of the zoo should know: dead cells, missing phases.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    cutoffs: PhaseCutoffs | None
    notes: list[str]


def annotate(recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame, classes: int) -> Annotation:
    """Compute cells, phases and flags.

    A dead or diverged cell takes no part in the cut-offs and gets no phase. A cell whose phase is another
    one at the continued epoch, by the same cut-offs, is ``unfinished``.

    Parameters
    ----------
    runs
        A row a run and epoch, as :class:`MeasuredColumn` has it, of all cells.
    pairs
        A row a seed pair and epoch.
    classes
        Of the data set, for chance accuracy.
    """
    measured = _cell_means(recipe, runs, pairs, recipe.measured_epoch)
    worst = runs[runs["epoch"] == recipe.measured_epoch].groupby("cell_id")["train_accuracy"].min()
    dead = (worst.loc[measured.index] < DEAD_FACTOR / classes).to_numpy(dtype=bool)
    defined = np.isfinite(measured[list(ORDER_PARAMETERS)].to_numpy(dtype=np.float64)).all(axis=1)
    notes = [f"dead or diverged, hence without a phase: {cell}" for cell in measured.index[dead | ~defined]]
    alive = measured[~dead & defined]
    continued = _cell_means(recipe, runs, pairs, recipe.continued_epoch)
    cells = measured.assign(
        dead=dead,
        phase=None,
        phase_probability=np.nan,
        unfinished=False,
        **{f"continued_{name}": continued[name] for name in ORDER_PARAMETERS},
        continued_phase=None,
    )
    try:
        cutoffs = recipe.cutoffs or fit_cutoffs(alive)
    except LandscapeError as error:
        notes.append(f"no phases: {error}")
        return Annotation(_stored_rows(recipe, runs, cells), cells, None, notes)
    phases = assign_phases(alive, cutoffs)["phase"]
    later = assign_phases(continued.loc[alive.index], cutoffs)["phase"]
    cells["phase"] = phases
    cells["continued_phase"] = later
    cells["unfinished"] = (later != phases).reindex(cells.index, fill_value=False)
    cells["phase_probability"] = _own_probability(recipe, runs, pairs, phases)
    return Annotation(_stored_rows(recipe, runs, cells), cells, cutoffs, notes)


def _cell_means(recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame, epoch: int) -> pd.DataFrame:
    """Order parameters of every cell at one epoch, indexed by cell_id, with standard errors.

    The errors of connectivity and CKA are jackknife errors over seeds: pairs that share a seed are dependent.
    """
    at_epoch = pairs[pairs["epoch"] == epoch]
    means = at_epoch.groupby("cell_id")[["mode_connectivity", "cka"]].mean()
    errors = at_epoch.groupby("cell_id")[["seed_a", "seed_b", "mode_connectivity", "cka"]].apply(_jackknife_errors)
    loss = runs[runs["epoch"] == epoch].groupby("cell_id")["train_loss"].mean()
    cells = pd.DataFrame([cell._asdict() for cell in recipe.cells()]).set_index("cell_id")
    cells = cells.rename(columns={"load": recipe.load.column, "temperature": recipe.temperature.column})
    return cells.join(loss).join(means).join(errors)


def _jackknife_errors(pairs: pd.DataFrame) -> pd.Series:
    seeds = sorted(set(pairs["seed_a"]) | set(pairs["seed_b"]))
    values = pairs[["mode_connectivity", "cka"]]
    without = np.array([values[(pairs["seed_a"] != s) & (pairs["seed_b"] != s)].mean() for s in seeds])
    error = np.sqrt((len(seeds) - 1) / len(seeds) * ((without - without.mean(0)) ** 2).sum(0))
    return pd.Series(error, index=["mode_connectivity_se", "cka_se"])


def _own_probability(recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame, phases: pd.Series) -> pd.Series:
    """How often each cell's label comes up again when its seeds are drawn anew."""
    measured_runs = runs[runs["epoch"] == recipe.measured_epoch]
    losses = measured_runs.pivot(index="cell_id", columns="seed", values="train_loss").loc[phases.index]
    measured_pairs = pairs[pairs["epoch"] == recipe.measured_epoch]
    wide = measured_pairs.pivot(index="cell_id", columns=["seed_a", "seed_b"], values=["mode_connectivity", "cka"])
    wide = wide.loc[phases.index]
    probability = phase_probability(
        losses.to_numpy(),
        np.array(wide["cka"].columns.to_list()),
        wide["mode_connectivity"].to_numpy(),
        wide["cka"].to_numpy(),
        cutoffs=recipe.cutoffs,
        seed=seed_from(recipe.name, "phase-bootstrap"),
    )
    own: NDArray[np.int64] = np.array([PHASES.index(phase) for phase in phases])
    return pd.Series(probability[np.arange(len(own)), own], index=phases.index)


def _stored_rows(recipe: Recipe, runs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    stored = runs[runs["epoch"] != recipe.continued_epoch].reset_index(drop=True)
    load, temperature = recipe.load.column, recipe.temperature.column
    stored["measured"] = stored["epoch"] == recipe.measured_epoch
    stored["architecture"] = [recipe.architecture_name(v) for v in stored["cell_id"].map(cells[load])]
    stored[load] = stored["cell_id"].map(cells[load])
    stored[temperature] = stored["cell_id"].map(cells[temperature])
    stored["batch_size"] = recipe.optimisation.batch_size
    for name in ("phase", "phase_probability", "unfinished", "dead"):
        stored[name] = stored["cell_id"].map(cells[name])
    for name in ("mode_connectivity", "mode_connectivity_se", "cka", "cka_se"):
        stored[name] = stored["cell_id"].map(cells[name]).where(stored["measured"])
    later = runs[runs["epoch"] == recipe.continued_epoch].set_index(["cell_id", "seed"])["train_loss"]
    keys = pd.MultiIndex.from_frame(stored[["cell_id", "seed"]])
    stored["continued_train_loss"] = pd.Series(later.reindex(keys).to_numpy()).where(stored["measured"])
    return stored
