"""From a recipe's data set to the objective that its networks are trained on."""

from __future__ import annotations

from wslbench.datasets import ConvectionDataset, Dataset, TextDataset
from wslbench.population.blocks import Run
from wslbench.population.recipe import Recipe
from wslbench.training import Objective


def make_objective(recipe: Recipe, runs: list[Run]) -> Objective:
    """The objective of a stack of runs of one architecture.

    Raises
    ------
    DatasetError
        If the data set is not there.
    RecipeError
        If recipe and data set do not fit.
    """
    coefficients = None
    if recipe.load.sets == "coefficient":
        coefficients = [float(run.cell.load) for run in runs]
    return recipe.training_data.objective(recipe.architecture_of(runs[0].cell.load), coefficients)


def train_size_of(recipe: Recipe) -> int:
    """Samples that an epoch runs through: images, collocation points, or windows of text."""
    first = next(recipe.cells())
    return make_objective(recipe, [Run(first, 0)]).train_size


def recipe_dataset(recipe: Recipe) -> Dataset | TextDataset | ConvectionDataset:
    """The recipe's data set as its networks see it: subsets drawn, wrong labels in place."""
    return recipe.training_data.load()
