"""From a recipe's data set to the objective that its networks are trained on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from wslbench.datasets import ConvectionDataset, Dataset, TextDataset, load_dataset
from wslbench.errors import RecipeError
from wslbench.population.blocks import Run
from wslbench.population.recipe import Recipe
from wslbench.training import Classification, Convection, Language, Objective, seed_from


def make_objective(recipe: Recipe, runs: list[Run]) -> Objective:
    """The objective of a stack of runs; wrong labels and subsets are the same for every network of the zoo.

    Raises
    ------
    DatasetError
        If the data set is not there.
    RecipeError
        If recipe and data set do not fit.
    """
    dataset = recipe_dataset(recipe)
    if isinstance(dataset, ConvectionDataset):
        coefficients = [recipe.coefficient_of(run.cell) for run in runs]
        if any(value is None for value in coefficients):
            raise RecipeError(
                f"recipe {recipe.name!r}: data set {dataset.name} needs a load axis that sets coefficient"
            )
        return Convection(dataset, torch.tensor(coefficients, dtype=torch.float32))
    if recipe.load.sets == "coefficient":
        raise RecipeError(f"recipe {recipe.name!r}: data set {dataset.name} has no coefficient that a load could set")
    if isinstance(dataset, TextDataset):
        context = recipe.architecture.arguments.get("context")
        if not isinstance(context, int):
            raise RecipeError(f"recipe {recipe.name!r}: architecture.arguments.context is missing: a text needs it")
        return Language(dataset, context)
    return Classification(
        torch.from_numpy(dataset.train_inputs),
        torch.from_numpy(dataset.train_labels),
        torch.from_numpy(dataset.test_inputs),
        torch.from_numpy(dataset.test_labels),
        dataset.classes,
        recipe.augmentation,
        dataset.mean,
        dataset.std,
    )


def train_size_of(recipe: Recipe) -> int:
    """Samples that an epoch runs through: images, collocation points, or windows of text."""
    first = next(recipe.cells())
    return make_objective(recipe, [Run(first, 0)]).train_size


@lru_cache(maxsize=1)
def _prepared(recipe_json: str) -> Dataset | TextDataset | ConvectionDataset:
    recipe = Recipe.model_validate_json(recipe_json)
    dataset = load_dataset(recipe.data_set, **recipe.data_arguments)
    if isinstance(dataset, Dataset):
        return _image_subset(recipe, dataset)
    if recipe.label_noise:
        raise RecipeError(
            f"recipe {recipe.name!r}: data set {dataset.name} has no labels that label_noise could change"
        )
    if isinstance(dataset, TextDataset):
        train = dataset.train_tokens[: recipe.train_subset]
        return TextDataset(dataset.name, train, dataset.test_tokens[: recipe.test_subset], dataset.vocabulary)
    if recipe.train_subset or recipe.test_subset:
        raise RecipeError(f"recipe {recipe.name!r}: data set {dataset.name} is sized by data_arguments, not by subsets")
    return dataset


def recipe_dataset(recipe: Recipe) -> Dataset | TextDataset | ConvectionDataset:
    """The recipe's data set as its networks see it: subsets drawn, wrong labels in place."""
    return _prepared(recipe.model_dump_json())


def _image_subset(recipe: Recipe, dataset: Dataset) -> Dataset:
    train = _drawn(recipe, "train", len(dataset.train_labels), recipe.train_subset)
    test = _drawn(recipe, "test", len(dataset.test_labels), recipe.test_subset)
    labels = with_label_noise(
        dataset.train_labels[train], recipe.label_noise, dataset.classes, seed_from(recipe.name, "label-noise")
    )
    return Dataset(
        dataset.name,
        dataset.train_inputs[train],
        labels,
        dataset.test_inputs[test],
        dataset.test_labels[test],
        classes=dataset.classes,
        mean=dataset.mean,
        std=dataset.std,
    )


def _drawn(recipe: Recipe, part: str, available: int, wanted: int | None) -> NDArray[np.int64] | slice:
    if wanted is None:
        return slice(None)
    if wanted > available:
        raise RecipeError(f"recipe {recipe.name!r}: {part}_subset is {wanted}, but there are {available} samples")
    order = np.random.default_rng(seed_from(recipe.name, f"{part}-subset")).permutation(available)
    return np.sort(order[:wanted])


def with_label_noise(labels: NDArray[np.int64], share: float, classes: int, seed: int) -> NDArray[np.int64]:
    """Labels of which exactly ``round(share * n)`` are replaced by another class, drawn uniformly."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(labels))[: round(share * len(labels))]
    noisy = labels.copy()
    noisy[chosen] = (labels[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return noisy


def hessian_samples(recipe: Recipe, train_size: int) -> NDArray[np.int64]:
    """The train samples that Hessians are taken on, the same for every network of the zoo."""
    order = np.random.default_rng(seed_from(recipe.name, "hessian-subset")).permutation(train_size)
    samples: NDArray[np.int64] = np.sort(order[: recipe.hessian.subset_size])
    return samples
