"""From measured runs and pairs to annotated cells: means with errors, phases, their certainty, what is doubtful."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wslbench.errors import LandscapeError
from wslbench.landscape import ORDER_PARAMETERS, PHASES, PhaseCutoffs, assign_phases, fit_cutoffs, phase_probability
from wslbench.training import seed_from

_COMPARED = ("mode_connectivity", "cka")


class PhaseRule(NamedTuple):
    """What the rule needs to know of a zoo.

    Attributes
    ----------
    zoo
        Name that the bootstrap's draws come from.
    connectivity_noise
        A cell is connected from −max(2, this × the standard deviation of its runs' error) percentage points on.
    cutoffs
        The frozen cut-offs of another zoo; None: fitted.
    """

    zoo: str
    connectivity_noise: float = 0.0
    cutoffs: PhaseCutoffs | None = None


class AnnotatedCells(NamedTuple):
    """The cells of a zoo.

    Attributes
    ----------
    cells
        A row a cell, indexed by cell_id: order parameters, their values at the continued epoch, phase, probability,
        flags.
    cutoffs
        The frozen numbers of the rule; None if the cells do not allow for any, and no cell has a phase.
    sensitivity
        How many cells each phase has under other choices of a number that the rule leaves to the zoo's maker.
    notes
        What that maker should know: dead cells, cells with one seed, missing phases.
    """

    cells: pd.DataFrame
    cutoffs: PhaseCutoffs | None
    sensitivity: dict[str, dict[str, int]]
    notes: list[str]


def annotate_cells(
    rule: PhaseRule,
    grid: pd.DataFrame,
    runs: pd.DataFrame,
    pairs: pd.DataFrame,
    measured_epoch: int,
    continued_epoch: int | None = None,
) -> AnnotatedCells:
    """Compute cells, phases and flags.

    A dead or diverged cell (one with such a run) is a failed grid point: it takes no part in the cut-offs and gets no
    phase. Nor does a cell with one seed: there is no pair to compare. A cell whose phase is another one at the
    continued epoch, by the same cut-offs, is ``unfinished``.

    Parameters
    ----------
    grid
        A row a cell, indexed by cell_id, with the columns of the axes.
    runs
        A row a run and epoch: cell_id, seed, epoch, train_loss, error, dead.
    pairs
        A row a seed pair and epoch: cell_id, seed_a, seed_b, epoch, mode_connectivity, cka.
    """
    at_measured = runs[runs["epoch"] == measured_epoch]
    measured = _cell_means(rule, grid, at_measured, pairs[pairs["epoch"] == measured_epoch])
    dead = at_measured.groupby("cell_id")["dead"].any().reindex(measured.index, fill_value=False).to_numpy(dtype=bool)
    numbers = at_measured.groupby("cell_id")["seed"].nunique()
    seeds = np.asarray(numbers.reindex(measured.index, fill_value=0), dtype=np.int64)
    defined = np.isfinite(measured[list(ORDER_PARAMETERS)].to_numpy(dtype=np.float64)).all(axis=1)
    notes = _why_without(measured.index, dead, defined, seeds)
    alive = measured[~dead & defined]
    cells = measured.assign(dead=dead, phase=None, phase_probability=np.nan, unfinished=False, continued_phase=None)
    later = None
    if continued_epoch is None:
        notes.append("not checked: whether a cell's phase changes when it trains twice as long")
    else:
        at_continued = runs[runs["epoch"] == continued_epoch], pairs[pairs["epoch"] == continued_epoch]
        later = _cell_means(rule, grid, *at_continued).loc[alive.index]
        cells = cells.join(later[list(ORDER_PARAMETERS)].add_prefix("continued_"))
    try:
        cutoffs = rule.cutoffs or fit_cutoffs(alive)
    except LandscapeError as error:
        notes.append(f"no phases: {error}")
        return AnnotatedCells(cells, None, {}, notes)
    phases = assign_phases(alive, cutoffs)["phase"]
    cells["phase"] = phases
    if later is not None:
        cells["continued_phase"] = assign_phases(later, cutoffs)["phase"]
        changed = cells.loc[alive.index, "continued_phase"] != phases
        cells["unfinished"] = changed.reindex(cells.index, fill_value=False)
    cells["phase_probability"] = _own_probability(rule, at_measured, pairs, measured_epoch, alive, phases)
    if (seeds[~dead & defined] < 3).any():
        notes.append("no phase probability for cells of two seeds: the bootstrap over seeds needs three")
    absent = [phase for phase in PHASES if phase not in set(phases)]
    if absent:
        notes.append(f"does not occur on this grid: phase {', '.join(absent)}")
    return AnnotatedCells(cells, cutoffs, _sensitivity(rule, alive), notes)


def with_cell_columns(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """A zoo's table, a row a checkpoint, with the columns that belong to whole cells.

    Phase and flags stand in every row; order parameters in those of measured checkpoints.
    """
    table = table.copy()
    for name in ("phase", "phase_probability", "unfinished", "dead"):
        table[name] = table["cell_id"].map(cells[name])
    tolerance = [name for name in ("connectivity_tolerance",) if name in cells]
    for name in ("mode_connectivity", "mode_connectivity_se", "cka", "cka_se", *tolerance):
        table[name] = table["cell_id"].map(cells[name]).where(table["measured"])
    return table


def _why_without(
    ids: pd.Index, dead: NDArray[np.bool_], defined: NDArray[np.bool_], seeds: NDArray[np.int64]
) -> list[str]:
    """A note for every cell that gets no phase."""
    notes = []
    for cell, is_dead, is_defined, number in zip(ids, dead, defined, seeds, strict=True):
        if not is_dead and not is_defined and number == 1:
            notes.append(f"one seed only, so connectivity and CKA are undefined, hence without a phase: {cell}")
        elif is_dead or not is_defined:
            notes.append(f"dead or diverged, hence without a phase: {cell}")
    return notes


def _sensitivity(rule: PhaseRule, alive: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Cells a phase, cut-offs fitted anew, if connectivity allowed for more or less noise between seeds."""
    if not rule.connectivity_noise:
        return {}
    counts = {}
    for factor in (0.0, rule.connectivity_noise / 2, rule.connectivity_noise, 2 * rule.connectivity_noise):
        changed = alive.assign(connectivity_tolerance=factor * alive["error_sd"])
        try:
            labels = assign_phases(changed, rule.cutoffs)["phase"].value_counts()
        except LandscapeError:
            labels = pd.Series(dtype=int)
        counts[f"connectivity_noise={factor:g}"] = {phase: int(labels.get(phase, 0)) for phase in PHASES}
    return counts


def _cell_means(rule: PhaseRule, grid: pd.DataFrame, runs: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Order parameters of every cell, indexed by cell_id, with standard errors.

    The errors of connectivity and CKA are jackknife errors over seeds: pairs that share a seed are dependent.
    """
    compared = pairs if len(pairs) else pd.DataFrame(columns=["cell_id", "seed_a", "seed_b", *_COMPARED], dtype=float)
    by_cell = compared.groupby("cell_id")
    errors = {cell: _jackknife_errors(rows) for cell, rows in by_cell}
    names = [f"{name}_se" for name in _COMPARED]
    of_cell = runs.groupby("cell_id")
    cells = grid.join(of_cell["train_loss"].mean()).join(by_cell[list(_COMPARED)].mean())
    cells = cells.join(pd.DataFrame.from_dict(errors, orient="index", columns=names))
    if rule.connectivity_noise:
        cells = cells.join(of_cell["error"].std(ddof=1).rename("error_sd"))
        cells["connectivity_tolerance"] = rule.connectivity_noise * cells["error_sd"]
    return cells


def _jackknife_errors(pairs: pd.DataFrame) -> list[float]:
    """Standard errors of the means over pairs; undefined where no pair is left without some seed."""
    seeds = sorted(set(pairs["seed_a"]) | set(pairs["seed_b"]))
    values = pairs[list(_COMPARED)]
    without = np.array([values[(pairs["seed_a"] != s) & (pairs["seed_b"] != s)].mean() for s in seeds])
    error = np.sqrt((len(seeds) - 1) / len(seeds) * ((without - without.mean(0)) ** 2).sum(0))
    return [float(value) for value in error]


def _own_probability(
    rule: PhaseRule,
    runs: pd.DataFrame,
    pairs: pd.DataFrame,
    epoch: int,
    alive: pd.DataFrame,
    phases: pd.Series,
) -> pd.Series:
    """How often each cell's label comes up again when its seeds are drawn anew."""
    losses = runs.pivot(index="cell_id", columns="seed", values="train_loss").loc[phases.index]
    if not (losses.notna().sum(axis=1) >= 3).any():
        return pd.Series(np.nan, index=phases.index)
    wide = pairs[pairs["epoch"] == epoch].pivot(index="cell_id", columns=["seed_a", "seed_b"], values=list(_COMPARED))
    wide = wide.loc[phases.index]
    place = {seed: column for column, seed in enumerate(losses.columns)}
    probability = phase_probability(
        losses.to_numpy(dtype=np.float64),
        np.array([[place[a], place[b]] for a, b in wide["cka"].columns]),
        wide["mode_connectivity"].to_numpy(dtype=np.float64),
        wide["cka"].to_numpy(dtype=np.float64),
        cutoffs=rule.cutoffs,
        tolerance=alive["connectivity_tolerance"].to_numpy() if "connectivity_tolerance" in alive else None,
        seed=seed_from(rule.zoo, "phase-bootstrap"),
    )
    own = np.array([PHASES.index(phase) for phase in phases], dtype=np.int64)
    return pd.Series(probability[np.arange(len(own)), own], index=phases.index)
