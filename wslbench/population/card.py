"""What a grown zoo says of itself: its card and its splits."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from wslbench.annotation.protocol_splits import protocol_splits
from wslbench.annotation.record import annotation_record
from wslbench.annotation.rule_text import rule_record
from wslbench.datasets import ConvectionDataset, Dataset
from wslbench.population.annotation import Annotation
from wslbench.population.objective import recipe_dataset
from wslbench.population.recipe import Recipe
from wslbench.population.seed_secret import SeedSecret, commitment_record
from wslbench.training import TRAINER_VERSION
from wslbench.zoo import Split, ZooCard
from wslbench.zoo.schema import Axis, DataSetCard


def card_of(
    recipe: Recipe, annotation: Annotation, stacked: dict[str, bool], secret: SeedSecret | None = None
) -> ZooCard:
    """The zoo's card: recipe, frozen phase rule, versions; by block, whether its networks trained as one stack."""
    return ZooCard(
        name=recipe.name,
        content_version=str(TRAINER_VERSION),
        **recipe.card.model_dump(),
        data_set=data_set_card(recipe),
        architectures={recipe.architecture_name(load): recipe.architecture_of(load) for load in recipe.load.values},
        load=Axis(**recipe.load.model_dump(exclude={"sets"})),
        temperature=Axis(**recipe.temperature.model_dump(exclude={"sets"})),
        measured_epoch=recipe.measured_epoch,
        recipe=recipe.model_dump(mode="json", exclude={"card"})
        | {"trainer_version": TRAINER_VERSION, "stacked": stacked}
        | commitment_record(secret),
        phase_rule=rule_record(annotation.annotated, recipe.connectivity_noise),
        annotation=annotation_record(
            recipe.name, recipe.architecture_of(recipe.load.values[0]), recipe.annotation_options
        ),
        software={
            "wslbench": version("wslbench"),
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
    )


def data_set_card(recipe: Recipe) -> DataSetCard:
    """Name and sizes of the data that the networks see."""
    data = recipe_dataset(recipe)
    if isinstance(data, ConvectionDataset):
        text = "u_t + beta u_x = 0 on [0, 2 pi] x [0, 1], periodic, u(x, 0) = sin x; sizes are collocation points"
        return DataSetCard(name=data.name, train_size=len(data.interior), test_size=len(data.grid), description=text)
    if isinstance(data, Dataset):
        noise = f"{recipe.label_noise:.1%} of the train labels are wrong, the same for all runs; test labels are clean"
        return DataSetCard(
            name=data.name,
            train_size=len(data.train_labels),
            test_size=len(data.test_labels),
            classes=data.classes,
            description=noise if recipe.label_noise else "",
        )
    return DataSetCard(
        name=data.name,
        train_size=len(data.train_tokens),
        test_size=len(data.test_tokens),
        description=f"sizes are tokens, of a vocabulary of {data.vocabulary}",
    )


def splits_of(recipe: Recipe, annotation: Annotation) -> tuple[list[Split], list[str]]:
    """The protocols over the cells that have a phase and are finished, and why one could not be made."""
    load, temperature = recipe.load.column, recipe.temperature.column
    return protocol_splits(recipe.name, annotation.annotated.cells, annotation.table, load, temperature)
