"""Recipe: everything that a zoo is grown from, validated before any training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wslbench.architectures import Architecture
from wslbench.datasets import DATASETS
from wslbench.errors import RecipeError
from wslbench.landscape import PhaseCutoffs
from wslbench.training import Augmentation, Optimisation

RECIPES_PATH = Path(__file__).resolve().parent / "recipes"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoadAxis(_Record):
    """The load-like hyper-parameter: an argument of the architecture."""

    column: str
    label: str
    values: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


class TemperatureAxis(_Record):
    """The temperature-like hyper-parameter: the learning rate."""

    column: str = "learning_rate"
    label: str
    values: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]


class HessianSettings(_Record):
    """On which images, and how long, the Hessian's trace and top eigenvalue are estimated."""

    subset_size: int = Field(default=256, ge=1)
    relative_tolerance: float = Field(default=0.1, gt=0)
    maximum_probes: int = Field(default=64, ge=8)
    lanczos_iterations: int = Field(default=20, ge=2)


class CardText(_Record):
    """What the zoo's card says in words."""

    description: str
    licence: str
    citation: str
    modality: str


class GridTried(_Record):
    """A grid that was tried on the way to the recipe, with what it showed."""

    grid: str
    seen: str


class Recipe(_Record):
    """A zoo, before it is grown.

    Attributes
    ----------
    label_noise
        Share of the train labels that are wrong: drawn once for the zoo, the same for all runs. Test labels
        stay as they are.
    architecture
        Builder and the arguments that all cells share; the load axis adds its own.
    measured_epoch
        The epoch whose checkpoint the order parameters and the phase belong to; the runs go on to twice as
        many epochs, to find cells whose phase would still change.
    early_epoch
        An earlier checkpoint that is stored too.
    cutoffs
        The frozen cut-offs of another zoo, for a grid too small to have its own.
    tuned, grids_tried
        What was chosen by looking at order parameters, and every grid that was looked at.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    card: CardText
    data_set: str
    label_noise: float = Field(default=0.0, ge=0, le=0.5)
    architecture: Architecture
    load: LoadAxis
    temperature: TemperatureAxis
    seeds: int = Field(ge=3)
    optimisation: Optimisation
    early_epoch: int = Field(ge=1)
    measured_epoch: int = Field(ge=2)
    augmentation: Augmentation = Augmentation()
    curve: Optimisation
    hessian: HessianSettings = HessianSettings()
    cutoffs: PhaseCutoffs | None = None
    tuned: str = ""
    grids_tried: list[GridTried] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.data_set not in DATASETS:
            raise ValueError(f"data_set {self.data_set!r} is unknown: use one of {', '.join(sorted(DATASETS))}")
        if not self.early_epoch < self.measured_epoch == self.optimisation.epochs:
            raise ValueError("early_epoch < measured_epoch = optimisation.epochs is asked for")
        if self.optimisation.schedule != "constant":
            raise ValueError("optimisation.schedule must be constant: its first half is then the shorter run itself")
        if self.curve.learning_rate is None:
            raise ValueError("curve.learning_rate is missing")
        for axis in (self.load, self.temperature):
            if list(axis.values) != sorted(set(axis.values)):
                raise ValueError(f"{axis.column}: values must ascend without repetition")
        return self

    @property
    def continued_epoch(self) -> int:
        """The end of the runs that go on for twice as long."""
        return 2 * self.measured_epoch

    def architecture_of(self, load: int) -> Architecture:
        """The architecture at one value of the load."""
        return Architecture(
            builder=self.architecture.builder, arguments=self.architecture.arguments | {self.load.column: load}
        )

    def architecture_name(self, load: int) -> str:
        """The name that shards and tables use for it."""
        digits = len(str(max(self.load.values)))
        return f"{self.architecture.builder}-{self.load.column}-{load:0{digits}d}"

    def cells(self) -> Iterator[Cell]:
        """Every cell of the grid, by load, then temperature."""
        for load in self.load.values:
            for temperature in self.temperature.values:
                yield Cell(load, temperature, f"{self.load.column}={load}_{self.temperature.column}={temperature:g}")


class Cell(NamedTuple):
    """A grid point of a recipe."""

    load: int
    temperature: float
    cell_id: str


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe that ships with wslbench, by name, or a YAML file.

    Raises
    ------
    RecipeError
        If there is none, or it is not valid; the message names file and field.
    """
    path = _recipe_path(name_or_path)
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of fields, not {type(content).__name__}")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path}: {problems}") from error


def _recipe_path(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    shipped = RECIPES_PATH / f"{name_or_path}.yaml"
    if path.suffix not in {".yaml", ".yml"} and shipped.is_file():
        return shipped
    if path.is_file():
        return path
    known = ", ".join(sorted(recipe.stem for recipe in RECIPES_PATH.glob("*.yaml")))
    raise RecipeError(f"no recipe {str(name_or_path)!r}: give a YAML file, or one that ships with wslbench: {known}")
