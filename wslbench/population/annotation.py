"""From measured runs and pairs to the annotated table of a grown zoo."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from wslbench.annotation.cells import AnnotatedCells, PhaseRule, annotate_cells, with_cell_columns
from wslbench.population.recipe import Recipe


class Annotation(NamedTuple):
    """The annotated zoo: its cells, and a row a stored checkpoint with all that ``models.parquet`` holds but ids."""

    table: pd.DataFrame
    annotated: AnnotatedCells


def annotate(recipe: Recipe, runs: pd.DataFrame, pairs: pd.DataFrame) -> Annotation:
    """Compute cells, phases and flags, and the table of the zoo.

    Parameters
    ----------
    runs
        A row a run and epoch, as :class:`MeasuredBlock` has it, of all cells.
    pairs
        A row a seed pair and epoch.
    """
    grid = pd.DataFrame([cell._asdict() for cell in recipe.cells()]).set_index("cell_id")
    grid = grid.rename(columns={"load": recipe.load.column, "temperature": recipe.temperature.column})
    rule = PhaseRule(recipe.name, recipe.connectivity_noise, recipe.cutoffs)
    annotated = annotate_cells(rule, grid, runs, pairs, recipe.measured_epoch, recipe.continued_epoch)
    return Annotation(_stored_rows(recipe, runs, annotated.cells), annotated)


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
    stored = with_cell_columns(stored, cells)
    if recipe.continued_epoch is not None:
        later = runs[runs["epoch"] == recipe.continued_epoch].set_index(["cell_id", "seed"])["train_loss"]
        keys = pd.MultiIndex.from_frame(stored[["cell_id", "seed"]])
        stored["continued_train_loss"] = pd.Series(later.reindex(keys).to_numpy()).where(stored["measured"])
    return stored
