"""The parts of a recipe: axes of the grid, what is measured and how, words for the card."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from wslbench.zoo.schema import Name

Value = Annotated[int | float, Field(gt=0, allow_inf_nan=False)]


class Record(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LoadAxis(Record):
    """The load-like hyper-parameter.

    Attributes
    ----------
    column
        Its column in ``models.parquet``; where it ``sets`` the architecture, also the argument's name.
    label
        What plots call it.
    values
        Ascending.
    sets
        ``architecture``: an argument of the architecture; ``coefficient``: the coefficient of a physics problem.
    """

    column: Name
    label: str
    values: Annotated[list[Value], Field(min_length=1)]
    sets: Literal["architecture", "coefficient"] = "architecture"


class TemperatureAxis(Record):
    """The temperature-like hyper-parameter: by default the learning rate; fields as :class:`LoadAxis` has them."""

    column: Name = "learning_rate"
    label: str
    values: Annotated[list[Value], Field(min_length=1)]
    sets: Literal["learning_rate", "batch_size", "weight_decay"] = "learning_rate"


class CardText(Record):
    """What the zoo's card says in words."""

    description: str
    licence: str
    citation: str
    modality: str


class GridTried(Record):
    """A grid that was tried on the way to the recipe, with what it showed."""

    grid: str
    seen: str
