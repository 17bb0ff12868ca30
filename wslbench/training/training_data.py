"""The data that a zoo's networks saw, as a record; and the objective that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from wslbench.architectures import Architecture
from wslbench.datasets import ConvectionDataset, DataArgument, Dataset, TextDataset, load_dataset
from wslbench.errors import RecipeError
from wslbench.training.augmentation import Augmentation
from wslbench.training.objectives import Classification, Convection, Language, Objective
from wslbench.training.seeding import seed_from


class TrainingData(BaseModel):
    """A data set as the networks of one zoo see it.

    Attributes
    ----------
    zoo
        Name that subsets and wrong labels are drawn from: the same for every network of the zoo.
    data_set, data_arguments
        Name of the data set and arguments of its loader.
    train_subset, test_subset
        Samples that are used; None: all. Of a text, its first tokens.
    label_noise
        Share of the train labels that are wrong. Test labels stay as they are.
    augmentation
        Of train images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    zoo: str
    data_set: str
    data_arguments: dict[str, DataArgument] = Field(default_factory=dict)
    train_subset: int | None = Field(default=None, ge=1)
    test_subset: int | None = Field(default=None, ge=1)
    label_noise: float = Field(default=0.0, ge=0, le=0.5)
    augmentation: Augmentation = Augmentation()

    def load(self) -> Dataset | TextDataset | ConvectionDataset:
        """Subsets drawn, wrong labels in place.

        Raises
        ------
        DatasetError
            If the data set is not there.
        RecipeError
            If it has no such subset, or no labels that could be wrong.
        """
        return _loaded(self.model_dump_json())

    def objective(self, architecture: Architecture, coefficients: Sequence[float] | None = None) -> Objective:
        """The objective of a stack of networks.

        Parameters
        ----------
        architecture
            Of the networks: a text is cut into windows of its ``context``.
        coefficients
            Of a physics problem, one a network; None where there is none.

        Raises
        ------
        DatasetError
            If the data set is not there.
        RecipeError
            If data set and networks do not fit.
        """
        dataset = self.load()
        if isinstance(dataset, ConvectionDataset):
            if coefficients is None:
                raise RecipeError(
                    f"recipe {self.zoo!r}: data set {dataset.name} needs an axis that sets the coefficient"
                )
            return Convection(dataset, torch.tensor(list(coefficients), dtype=torch.float32))
        if coefficients is not None:
            raise RecipeError(f"recipe {self.zoo!r}: data set {dataset.name} has no coefficient that a load could set")
        if isinstance(dataset, TextDataset):
            context = architecture.arguments.get("context")
            if not isinstance(context, int):
                raise RecipeError(f"recipe {self.zoo!r}: architecture.arguments.context is missing: a text needs it")
            return Language(dataset, context)
        return Classification(
            torch.from_numpy(dataset.train_inputs),
            torch.from_numpy(dataset.train_labels),
            torch.from_numpy(dataset.test_inputs),
            torch.from_numpy(dataset.test_labels),
            dataset.classes,
            self.augmentation,
            dataset.mean,
            dataset.std,
        )


@lru_cache(maxsize=1)
def _loaded(record: str) -> Dataset | TextDataset | ConvectionDataset:
    data = TrainingData.model_validate_json(record)
    dataset = load_dataset(data.data_set, **data.data_arguments)
    if isinstance(dataset, Dataset):
        return _image_subset(data, dataset)
    if data.label_noise:
        raise RecipeError(f"recipe {data.zoo!r}: data set {dataset.name} has no labels that label_noise could change")
    if isinstance(dataset, TextDataset):
        train = dataset.train_tokens[: data.train_subset]
        return TextDataset(dataset.name, train, dataset.test_tokens[: data.test_subset], dataset.vocabulary)
    if data.train_subset or data.test_subset:
        raise RecipeError(f"recipe {data.zoo!r}: data set {dataset.name} is sized by data_arguments, not by subsets")
    return dataset


def _image_subset(data: TrainingData, dataset: Dataset) -> Dataset:
    train = _drawn(data.zoo, "train", len(dataset.train_labels), data.train_subset)
    test = _drawn(data.zoo, "test", len(dataset.test_labels), data.test_subset)
    labels = with_label_noise(
        dataset.train_labels[train], data.label_noise, dataset.classes, seed_from(data.zoo, "label-noise")
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


def _drawn(zoo: str, part: str, available: int, wanted: int | None) -> NDArray[np.int64] | slice:
    if wanted is None:
        return slice(None)
    if wanted > available:
        raise RecipeError(f"recipe {zoo!r}: {part}_subset is {wanted}, but there are {available} samples")
    order = np.random.default_rng(seed_from(zoo, f"{part}-subset")).permutation(available)
    return np.sort(order[:wanted])


def with_label_noise(labels: NDArray[np.int64], share: float, classes: int, seed: int) -> NDArray[np.int64]:
    """Labels of which exactly ``round(share * n)`` are replaced by another class, drawn uniformly."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(labels))[: round(share * len(labels))]
    noisy = labels.copy()
    noisy[chosen] = (labels[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return noisy
