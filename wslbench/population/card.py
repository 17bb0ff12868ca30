"""What a grown zoo says of itself: its card and its splits."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pandas as pd
import torch

from wslbench.datasets import ConvectionDataset, Dataset
from wslbench.errors import SplitError
from wslbench.population.annotation import Annotation
from wslbench.population.objective import recipe_dataset
from wslbench.population.recipe import Recipe
from wslbench.training import TRAINER_VERSION, seed_from
from wslbench.zoo import Split, ZooCard, make_split
from wslbench.zoo.identity import run_id
from wslbench.zoo.protocols import PROTOCOLS
from wslbench.zoo.schema import Axis, DataSetCard


def card_of(recipe: Recipe, annotation: Annotation, stacked: dict[str, bool]) -> ZooCard:
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
        | {"trainer_version": TRAINER_VERSION, "stacked": stacked},
        phase_rule=_phase_rule(recipe, annotation),
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


def _phase_rule(recipe: Recipe, annotation: Annotation) -> dict[str, object] | None:
    if annotation.cutoffs is None:
        return None
    rule: dict[str, object] = {
        "rule": "converged: train_loss < cut-off; connected: mode_connectivity >= cut-off; I neither, II connected "
        "only, III converged only, both: IV-B if cka >= cut-off else IV-A",
        "cutoffs": annotation.cutoffs.model_dump(mode="json"),
    }
    if recipe.connectivity_noise:
        rule["connectivity"] = (
            f"connected: mode_connectivity >= -max(2, {recipe.connectivity_noise:g} x the standard deviation of the "
            "error, in per cent, between the cell's seeds)"
        )
    if annotation.sensitivity:
        rule["sensitivity"] = annotation.sensitivity
    return rule


def splits_of(recipe: Recipe, annotation: Annotation) -> tuple[list[Split], list[str]]:
    """The protocols over the cells that have a phase and are finished, and why one could not be made."""
    cells = annotation.cells
    usable = cells[cells["phase"].notna() & ~cells["unfinished"]].reset_index()
    table = annotation.table
    runs = pd.DataFrame(
        {
            "run_id": [run_id(cell, seed) for cell, seed in zip(table["cell_id"], table["seed"], strict=True)],
            "cell_id": table["cell_id"],
        }
    )
    load, temperature = recipe.load.column, recipe.temperature.column
    splits, refused = [], []
    for protocol in PROTOCOLS:
        seed = seed_from(recipe.name, "split", protocol)
        try:
            splits.append(make_split(usable, runs, protocol, seed, load=load, temperature=temperature))
        except SplitError as error:
            refused.append(f"no split {protocol}: {error}")
    return splits, refused
