"""Recipe: everything that a zoo is grown from, validated before any training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from wslbench.annotation.definition import Definition, HessianSettings
from wslbench.annotation.options import AnnotationOptions
from wslbench.annotation.seed_pairs import seed_pairs
from wslbench.architectures import Architecture
from wslbench.datasets import DATASETS, DataArgument
from wslbench.landscape import PhaseCutoffs
from wslbench.population.recipe_parts import CardText, GridTried, LoadAxis, Record, TemperatureAxis
from wslbench.training import Augmentation, Optimisation, TrainingData


class Cell(NamedTuple):
    """A grid point of a recipe."""

    load: int | float
    temperature: int | float
    cell_id: str


class Recipe(Record):
    """A zoo, before it is grown.

    Attributes
    ----------
    scale
        Which of its recipe file's scales this is; empty where the file has one only.
    data_arguments
        Of the data set's loader.
    train_subset, test_subset
        Samples that are used, drawn once for the zoo and the same for all runs; None: all. Of a text, its first
        tokens.
    label_noise
        Share of the train labels that are wrong: drawn once for the zoo, the same for all runs. Test labels
        stay as they are.
    architecture
        Builder and the arguments that all cells share; an axis may add its own.
    measured_epoch
        The epoch whose checkpoint the order parameters and the phase belong to; it may lie before the end of the
        schedule.
    early_epoch
        An earlier checkpoint that is stored too.
    unfinished_check
        How cells are found whose phase changes when they train twice as long. ``continued``: the runs themselves go
        on for twice ``measured_epoch`` (with a constant schedule, its first half is then the shorter run itself);
        ``longer``: fresh runs on a schedule of twice the length; ``none``: not at all, and the card says so.
    connectivity_noise
        A cell is connected from −max(2, this × the standard deviation of its runs' error) percentage points on: 0
        for classifiers; more where the error is no share of samples and seeds differ by much more than 2.
    disjoint_pairs
        So many disjoint seed pairs are compared, a fixed draw; None: all pairs.
    longer_curve_pairs
        So many disjoint seed pairs of every cell are compared by a curve trained twice as long, too: whether the
        curve's length decides the phase. 0: not checked.
    stacking
        Whether networks train as one computation. ``measured``: where a short measurement finds it faster. The two
        agree to floating-point tolerance, not to the bit, so that a zoo to be grown again exactly says which.
    cutoffs
        The frozen cut-offs of another zoo, for a grid too small to have its own.
    unpublished
        Fields that a published zoo's authors left open and that are our choice.
    tuned, grids_tried
        What was chosen by looking at order parameters, and every grid that was looked at.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    scale: str = ""
    card: CardText
    data_set: str
    data_arguments: dict[str, DataArgument] = Field(default_factory=dict)
    train_subset: int | None = Field(default=None, ge=1)
    test_subset: int | None = Field(default=None, ge=1)
    label_noise: float = Field(default=0.0, ge=0, le=0.5)
    architecture: Architecture
    load: LoadAxis
    temperature: TemperatureAxis
    seeds: int = Field(ge=3)
    optimisation: Optimisation
    early_epoch: int | None = Field(default=None, ge=1)
    measured_epoch: int = Field(ge=1)
    unfinished_check: Literal["continued", "longer", "none"] = "continued"
    augmentation: Augmentation = Augmentation()
    curve: Optimisation
    connectivity_noise: float = Field(default=0.0, ge=0)
    disjoint_pairs: int | None = Field(default=None, ge=1)
    longer_curve_pairs: int = Field(default=0, ge=0)
    hessian: HessianSettings = HessianSettings()
    stacking: Literal["measured", "stacked", "one_by_one"] = "measured"
    cutoffs: PhaseCutoffs | None = None
    unpublished: list[str] = Field(default_factory=list)
    tuned: str = ""
    grids_tried: list[GridTried] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.data_set not in DATASETS:
            raise ValueError(f"data_set {self.data_set!r} is unknown: use one of {', '.join(sorted(DATASETS))}")
        if self.early_epoch is not None and not self.early_epoch < self.measured_epoch:
            raise ValueError("early_epoch must lie before measured_epoch")
        if not self.measured_epoch <= self.optimisation.epochs:
            raise ValueError("measured_epoch lies after the last of optimisation.epochs")
        if self.unfinished_check == "continued" and not (
            self.optimisation.schedule == "constant" and self.measured_epoch == self.optimisation.epochs
        ):
            raise ValueError(
                "unfinished_check: continued needs a constant schedule measured at its last epoch, so that the longer "
                "run begins as the shorter one; use longer or none"
            )
        if self.curve.learning_rate is None or self.curve.batch_size is None:
            raise ValueError("curve.learning_rate and curve.batch_size must be set")
        for name in ("disjoint_pairs", "longer_curve_pairs"):
            if 2 * (getattr(self, name) or 0) > self.seeds:
                raise ValueError(f"{name}: {self.seeds} seeds make at most {self.seeds // 2}")
        for axis in (self.load, self.temperature):
            if list(axis.values) != sorted(set(axis.values)):
                raise ValueError(f"{axis.column}: values must ascend without repetition")
        if self.load.column == self.temperature.column:
            raise ValueError("load and temperature have the same column")
        for name in ("learning_rate", "batch_size"):
            if (getattr(self.optimisation, name) is None) == (name != self.temperature.sets):
                raise ValueError(f"optimisation.{name}: set it there, or by the temperature axis, not both or neither")
        if self.temperature.sets == "batch_size" and not all(isinstance(v, int) for v in self.temperature.values):
            raise ValueError("temperature.values: batch sizes are whole numbers")
        return self

    @property
    def continued_epoch(self) -> int | None:
        """The epoch at which it is asked again which phase a cell is in; None: it is not asked."""
        return None if self.unfinished_check == "none" else 2 * self.measured_epoch

    @property
    def kept_epochs(self) -> tuple[int, ...]:
        """Epochs that the zoo stores."""
        return (self.measured_epoch,) if self.early_epoch is None else (self.early_epoch, self.measured_epoch)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The seed pairs of a cell that are compared."""
        return seed_pairs(self.name, range(self.seeds), self.disjoint_pairs)

    @property
    def training_data(self) -> TrainingData:
        """The data as the zoo's networks see it."""
        return self.annotation_options.training_data(self.name)

    @property
    def annotation_options(self) -> AnnotationOptions:
        """What the zoo's annotation needs to know."""
        same = [name for name in AnnotationOptions.model_fields if name in Recipe.model_fields]
        coefficient = self.load.column if self.load.sets == "coefficient" else None
        return AnnotationOptions(coefficient=coefficient, **{name: getattr(self, name) for name in same})

    @property
    def definition(self) -> Definition:
        """How order parameters are measured."""
        return self.annotation_options.settled_definition()

    def architecture_of(self, load: float) -> Architecture:
        """The architecture at one value of the load."""
        own = {self.load.column: load} if self.load.sets == "architecture" else {}
        return Architecture(builder=self.architecture.builder, arguments=self.architecture.arguments | own)

    def architecture_name(self, load: float) -> str:
        """The name that shards and tables use for it."""
        if self.load.sets != "architecture":
            return self.architecture.builder
        digits = len(_text(max(self.load.values)))
        return f"{self.architecture.builder}-{self.load.column}-{_text(load).zfill(digits)}"

    def optimisation_of(self, cell: Cell) -> Optimisation:
        """How a cell's runs are trained: what the temperature sets is set."""
        return self.optimisation.model_copy(update={self.temperature.sets: cell.temperature})

    def cells(self) -> Iterator[Cell]:
        """Every cell of the grid, by load, then temperature."""
        for load in self.load.values:
            for temperature in self.temperature.values:
                name = f"{self.load.column}={_text(load)}_{self.temperature.column}={_text(temperature)}"
                yield Cell(load, temperature, name)


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
