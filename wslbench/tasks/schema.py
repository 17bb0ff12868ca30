"""The schema of ``tasks.yaml``: what an entry may say."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wslbench.tasks.transforms import TransformName
from wslbench.zoo.protocols import NEW_ZOO, WITHIN_CELL_SEEDS

TaskKind = Literal["phase_classification", "accuracy_prediction", "weight_generation"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Target = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9-]*$", max_length=80)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskEntry(_Entry):
    """One target of one zoo, asked under one or more split protocols.

    ``tested_on`` is what ``new-zoo`` tests; ``phase`` is what a generator is asked for. Without a ``description`` the
    label is all that is said.
    """

    zoo: Name
    target: Target
    version: Annotated[int, Field(ge=1)]
    kind: TaskKind
    column: Annotated[str, Field(min_length=1)]
    minus: Annotated[str, Field(min_length=1)] | None = None
    transform: TransformName = "identity"
    protocols: Annotated[list[Name], Field(min_length=1)]
    tested_on: Name | None = None
    phase: Annotated[str, Field(min_length=1)] | None = None
    label: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _phases_are_labels(self) -> Self:
        if self.kind == "phase_classification" and (self.minus is not None or self.transform != "identity"):
            raise ValueError("a phase_classification task takes neither `minus` nor a `transform`")
        if self.kind == "phase_classification" and self.column != "phase":
            raise ValueError("a phase_classification task reads the column `phase`")
        return self

    @model_validator(mode="after")
    def _generators_are_asked_for_a_phase(self) -> Self:
        if (self.kind == "weight_generation") != (self.phase is not None):
            raise ValueError("a weight_generation task names the `phase` that it asks for, and no other task does")
        if self.phase is not None:
            if self.target != f"generate-{self.phase}":
                raise ValueError(f"the target of a task that asks for phase {self.phase} is generate-{self.phase}")
            if self.column != "phase" or self.minus is not None or self.transform != "identity":
                raise ValueError("a weight_generation task reads the column `phase`, as it is")
        if (self.phase is not None) != (WITHIN_CELL_SEEDS in self.protocols) or (
            self.phase and len(self.protocols) > 1
        ):
            raise ValueError(f"the protocol of weight_generation tasks, and of no others, is {WITHIN_CELL_SEEDS}")
        return self

    @model_validator(mode="after")
    def _another_zoo_is_named_where_it_is_asked_for(self) -> Self:
        if (NEW_ZOO in self.protocols) != (self.tested_on is not None):
            raise ValueError(f"the protocol {NEW_ZOO} and `tested_on`, the zoo that it tests, come together")
        if self.tested_on == self.zoo:
            raise ValueError("`tested_on` has to be another zoo")
        return self

    def id_under(self, protocol: str, default_protocol: str) -> str:
        """The id of the task that this entry gives under a protocol."""
        stem = f"{self.zoo}.{self.target}"
        return stem if protocol in (default_protocol, WITHIN_CELL_SEEDS) else f"{stem}@{protocol}"


class TasksFile(_Entry):
    """The whole of ``tasks.yaml``."""

    format_version: Literal[1]
    default_protocol: Name
    tasks: Annotated[list[TaskEntry], Field(min_length=1)]
    suites: dict[Name, Annotated[list[str], Field(min_length=1)]] = {}
