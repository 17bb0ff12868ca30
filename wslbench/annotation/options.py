"""How a zoo is annotated: what its networks saw, and what its maker decides. From its card, a file, and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wslbench.annotation.definition import Definition, HessianSettings, load_definition
from wslbench.datasets import DATASETS, DataArgument
from wslbench.errors import LandscapeError
from wslbench.landscape import PhaseCutoffs
from wslbench.training import Augmentation, Optimisation, TrainingData
from wslbench.zoo import Zoo
from wslbench.zoo.schema import Name

DEFAULT_CURVE = Optimisation(epochs=50, batch_size=128, learning_rate=0.05, schedule="cosine")
"""How curves are trained where nobody says anything; check it with ``longer_curve_pairs``."""

MANY_SEEDS = 8
"""With more seeds in a cell than this, disjoint pairs are compared instead of all."""

DISJOINT_PAIRS = 12


class AnnotationOptions(BaseModel):
    """Everything that annotating needs to know beside the zoo; fields as a recipe has them.

    Attributes
    ----------
    definition
        Name of the definition of order parameters, or a YAML file.
    data_set, data_arguments, train_subset, test_subset, label_noise, augmentation
        The data that the networks were trained on, as they saw it.
    coefficient
        Column of ``models.parquet`` with the coefficient of a physics problem.
    curve, hessian
        What the definition leaves to the zoo.
    disjoint_pairs
        So many disjoint seed pairs a cell; None: all pairs.
    longer_curve_pairs
        So many of them are measured by curves trained twice as long, too; 0: not checked.
    connectivity_noise, cutoffs
        Of the phase rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    definition: str = "wslbench"
    data_set: str
    data_arguments: dict[str, DataArgument] = Field(default_factory=dict)
    train_subset: int | None = Field(default=None, ge=1)
    test_subset: int | None = Field(default=None, ge=1)
    label_noise: float = Field(default=0.0, ge=0, le=0.5)
    augmentation: Augmentation = Augmentation()
    coefficient: Name | None = None
    curve: Optimisation = DEFAULT_CURVE
    hessian: HessianSettings = HessianSettings()
    disjoint_pairs: int | None = Field(default=None, ge=1)
    longer_curve_pairs: int = Field(default=2, ge=0)
    connectivity_noise: float = Field(default=0.0, ge=0)
    cutoffs: PhaseCutoffs | None = None

    def training_data(self, zoo: str) -> TrainingData:
        """The data as the zoo's networks saw it."""
        same = ("data_set", "data_arguments", "train_subset", "test_subset", "label_noise", "augmentation")
        return TrainingData(zoo=zoo, **{name: getattr(self, name) for name in same})

    def settled_definition(self) -> Definition:
        """The definition, with what it leaves to the zoo filled in."""
        return load_definition(self.definition).settled(self.curve, self.hessian)


def options_of(
    zoo: Zoo, file: Path | None = None, definition: str | None = None, data_set: str | None = None
) -> AnnotationOptions:
    """The options of a zoo: what its card says, over that what the file says, over that the arguments.

    Raises
    ------
    LandscapeError
        If no data set is named, the named one is unknown, or the file is not a valid one; the message names the field.
    """
    fields = _of_card(zoo)
    where = f"the card of zoo {zoo.name!r}"
    if file is not None:
        fields |= _of_file(file)
        where = str(file)
    if definition is not None:
        fields["definition"] = definition
    if data_set is not None:
        fields["data_set"] = data_set
    if fields.get("data_set") not in DATASETS:
        raise LandscapeError(
            f"zoo {zoo.name!r} was trained on data set {fields.get('data_set')!r}, which wslbench does not read: order "
            f"parameters need its samples. Name one with --data-set: {', '.join(sorted(DATASETS))}"
        )
    if "disjoint_pairs" not in fields and _most_seeds(zoo) > MANY_SEEDS:
        fields["disjoint_pairs"] = DISJOINT_PAIRS
    try:
        return AnnotationOptions.model_validate(fields)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
        raise LandscapeError(f"{where}: {problems}") from error


def _of_card(zoo: Zoo) -> dict[str, Any]:
    """The fields that a recipe and the options share."""
    recipe = zoo.card.recipe
    fields = {name: recipe[name] for name in AnnotationOptions.model_fields if name in recipe}
    fields.setdefault("data_set", zoo.card.data_set.name)
    load = recipe.get("load")
    if isinstance(load, Mapping) and load.get("sets") == "coefficient":
        fields["coefficient"] = zoo.card.load.column
    return fields


def _of_file(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LandscapeError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise LandscapeError(f"{file} does not hold a mapping of options, such as `data_set: digits`")
    strange = sorted(str(name) for name in content if name not in AnnotationOptions.model_fields)
    if strange:
        known = ", ".join(AnnotationOptions.model_fields)
        raise LandscapeError(f"{file}: {strange[0]!r} is no option; there are {known}")
    return content


def _most_seeds(zoo: Zoo) -> int:
    table = zoo.table
    measured = table[table["measured"].to_numpy(dtype=bool)]
    return int(measured.groupby("cell_id")["seed"].nunique().max())
