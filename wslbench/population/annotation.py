"""From measured runs and pairs to the annotated table of a zoo: cell means, phases, their certainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from wslbench.errors import LandscapeError
from wslbench.landscape import ORDER_PARAMETERS, PHASES, PhaseCutoffs, assign_phases, fit_cutoffs, phase_probability
from wslbench.population.recipe import Recipe
from wslbench.training import seed_from


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
    sensitivity
        How many cells each phase has under other choices of a number that the rule leaves to the recipe.
    notes
        What the maker of the zoo should know: dead cells, missing phases.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    cutoffs: PhaseCutoffs | None
    sensitivity: dict[str, dict[str, int]]
    notes: list[str]


def annotate(recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame) -> Annotation:
    """Compute cells, phases and flags.

    A dead or diverged cell (one with such a run) is a failed grid point: it takes no part in the cut-offs and gets no
    phase. A cell whose phase is another one at the continued epoch, by the same cut-offs, is ``unfinished``.

    Parameters
    ----------
    runs
        A row a run and epoch, as :class:`MeasuredBlock` has it, of all cells.
    pairs
        A row a seed pair and epoch.
    """
    measured = _cell_means(recipe, runs, pairs, recipe.measured_epoch)
    any_dead = runs[runs["epoch"] == recipe.measured_epoch].groupby("cell_id")["dead"].any()
    dead = any_dead.loc[measured.index].to_numpy(dtype=bool)
    defined = np.isfinite(measured[list(ORDER_PARAMETERS)].to_numpy(dtype=np.float64)).all(axis=1)
    notes = [f"dead or diverged, hence without a phase: {cell}" for cell in measured.index[dead | ~defined]]
    alive = measured[~dead & defined]
    cells = measured.assign(dead=dead, phase=None, phase_probability=np.nan, unfinished=False, continued_phase=None)
    later = None
    if recipe.continued_epoch is None:
        notes.append("not checked: whether a cell's phase changes when it trains twice as long")
    else:
        later = _cell_means(recipe, runs, pairs, recipe.continued_epoch).loc[alive.index]
        cells = cells.join(later[list(ORDER_PARAMETERS)].add_prefix("continued_"))
    try:
        cutoffs = recipe.cutoffs or fit_cutoffs(alive)
    except LandscapeError as error:
        notes.append(f"no phases: {error}")
        return Annotation(_stored_rows(recipe, runs, cells), cells, None, {}, notes)
    phases = assign_phases(alive, cutoffs)["phase"]
    cells["phase"] = phases
    if later is not None:
        cells["continued_phase"] = assign_phases(later, cutoffs)["phase"]
        changed = cells.loc[alive.index, "continued_phase"] != phases
        cells["unfinished"] = changed.reindex(cells.index, fill_value=False)
    cells["phase_probability"] = _own_probability(recipe, runs, pairs, alive, phases)
    absent = [phase for phase in PHASES if phase not in set(phases)]
    if absent:
        notes.append(f"does not occur on this grid: phase {', '.join(absent)}")
    sensitivity = _sensitivity(recipe, alive)
    return Annotation(_stored_rows(recipe, runs, cells), cells, cutoffs, sensitivity, notes)


def _sensitivity(recipe: Recipe, alive: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Cells a phase, cut-offs fitted anew, if connectivity allowed for more or less noise between seeds."""
    if not recipe.connectivity_noise:
        return {}
    counts = {}
    for factor in (0.0, recipe.connectivity_noise / 2, recipe.connectivity_noise, 2 * recipe.connectivity_noise):
        changed = alive.assign(connectivity_tolerance=factor * alive["error_sd"])
        try:
            labels = assign_phases(changed, recipe.cutoffs)["phase"].value_counts()
        except LandscapeError:
            labels = pd.Series(dtype=int)
        counts[f"connectivity_noise={factor:g}"] = {phase: int(labels.get(phase, 0)) for phase in PHASES}
    return counts


def _cell_means(recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame, epoch: int) -> pd.DataFrame:
    """Order parameters of every cell at one epoch, indexed by cell_id, with standard errors.

    The errors of connectivity and CKA are jackknife errors over seeds: pairs that share a seed are dependent.
    """
    at_epoch = pairs[pairs["epoch"] == epoch]
    means = at_epoch.groupby("cell_id")[["mode_connectivity", "cka"]].mean()
    errors = at_epoch.groupby("cell_id")[["seed_a", "seed_b", "mode_connectivity", "cka"]].apply(_jackknife_errors)
    of_cell = runs[runs["epoch"] == epoch].groupby("cell_id")
    cells = pd.DataFrame([cell._asdict() for cell in recipe.cells()]).set_index("cell_id")
    cells = cells.rename(columns={"load": recipe.load.column, "temperature": recipe.temperature.column})
    cells = cells.join(of_cell["train_loss"].mean()).join(means).join(errors)
    if recipe.connectivity_noise:
        cells = cells.join(of_cell["error"].std(ddof=1).rename("error_sd"))
        cells["connectivity_tolerance"] = recipe.connectivity_noise * cells["error_sd"]
    return cells


def _jackknife_errors(pairs: pd.DataFrame) -> pd.Series:
    seeds = sorted(set(pairs["seed_a"]) | set(pairs["seed_b"]))
    values = pairs[["mode_connectivity", "cka"]]
    without = np.array([values[(pairs["seed_a"] != s) & (pairs["seed_b"] != s)].mean() for s in seeds])
    error = np.sqrt((len(seeds) - 1) / len(seeds) * ((without - without.mean(0)) ** 2).sum(0))
    return pd.Series(error, index=["mode_connectivity_se", "cka_se"])


def _own_probability(
    recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame, alive: pd.DataFrame, phases: pd.Series
) -> pd.Series:
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
        tolerance=alive["connectivity_tolerance"].to_numpy() if "connectivity_tolerance" in alive else None,
        seed=seed_from(recipe.name, "phase-bootstrap"),
    )
    own = np.array([PHASES.index(phase) for phase in phases], dtype=np.int64)
    return pd.Series(probability[np.arange(len(own)), own], index=phases.index)


def _stored_rows(recipe: Recipe, runs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The table of the zoo: hyper-parameters, phases and order parameters beside what each run measured."""
    stored = runs[runs["epoch"].isin(recipe.kept_epochs)].drop(columns="error").reset_index(drop=True)
    load, temperature = recipe.load.column, recipe.temperature.column
    by_id = {cell.cell_id: cell for cell in recipe.cells()}
    own = [by_id[cell_id] for cell_id in stored["cell_id"]]
    stored["measured"] = stored["epoch"] == recipe.measured_epoch
    stored["architecture"] = [recipe.architecture_name(cell.load) for cell in own]
    stored[load] = [cell.load for cell in own]
    stored[temperature] = [cell.temperature for cell in own]
    stored["batch_size"] = [recipe.optimisation_of(cell).samples for cell in own]
    stored["learning_rate"] = [recipe.optimisation_of(cell).rate for cell in own]
    for name in ("phase", "phase_probability", "unfinished", "dead"):
        stored[name] = stored["cell_id"].map(cells[name])
    tolerance = [name for name in ("connectivity_tolerance",) if name in cells]
    for name in ("mode_connectivity", "mode_connectivity_se", "cka", "cka_se", *tolerance):
        stored[name] = stored["cell_id"].map(cells[name]).where(stored["measured"])
    if recipe.continued_epoch is not None:
        later = runs[runs["epoch"] == recipe.continued_epoch].set_index(["cell_id", "seed"])["train_loss"]
        keys = pd.MultiIndex.from_frame(stored[["cell_id", "seed"]])
        stored["continued_train_loss"] = pd.Series(later.reindex(keys).to_numpy()).where(stored["measured"])
    return stored
