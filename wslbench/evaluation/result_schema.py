"""The schema of a result record: one method on one task, with all its seeds. Nothing missing, nothing extra."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from wslbench.evaluation.failures import FailureKind
from wslbench.evaluation.method_info import LONGEST_DESCRIPTION
from wslbench.evaluation.tier import Tier
from wslbench.tasks import TaskKind

Status = Literal["ok"] | FailureKind
Privilege = Literal["none", "train_hyperparameters", "hyperparameters", "data"]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Record):
    """A metric: mean over seeds, 95 % interval over held-out units, spread over seeds; null where undefined."""

    value: float | None
    low: float | None
    high: float | None
    seed_sd: float | None = None


class Lift(Record):
    """The headline less that of the best legal floor, on the same resamples; above 0 throughout means better."""

    value: float | None
    low: float | None
    high: float | None
    metric: str
    over: str


class WorstPhase(Record):
    """The phase with the largest relative error (regression) or the least recall (classification)."""

    phase: str
    metric: str
    value: float


class Confusion(Record):
    """Mean over seeds of the counts ``[true][predicted]``, over the models that are scored."""

    classes: list[str]
    counts: list[list[float]]


class MethodInfo(Record):
    """Who answered.

    Attributes
    ----------
    name
        The file's stem; the row of the leaderboard.
    source_hash
        SHA-256 over the method's file and its local imports.
    privilege
        What the method was given beyond weights and labels; ``hyperparameters`` marks the forbidden oracle, ``data``
        the track *with data* of generators.
    """

    name: str
    class_name: str
    description: str = Field(max_length=LONGEST_DESCRIPTION)
    file: str
    source_hash: str
    privilege: Privilege


class TaskRecord(Record):
    """What was asked."""

    id: str
    zoo: str
    kind: TaskKind
    target: str
    protocol: str
    transform: str
    headline: str
    label: str
    unit: str
    models: Count
    cells: Count
    units: Count


class UnitOutcome(Record):
    """One fold and seed: how it ended and what it cost. ``uncovered`` models are those the method does not support."""

    fold: int
    seed: int
    status: Status
    message: str = ""
    fit_seconds: Seconds | None = None
    predict_seconds: Seconds | None = None
    peak_memory_bytes: Count | None = None
    parameters: Count | None = None
    models: Count
    uncovered: Count = 0


class Cost(Record):
    """Seconds over all folds, a seed (mean over seeds); the highest memory of any unit; null where nothing ran."""

    fit_seconds: Seconds | None
    predict_seconds: Seconds | None
    peak_memory_bytes: Count | None
    parameters: Count | None


class FloorProvenance(Record):
    """Which committed result a floor came from."""

    method: str
    predictions: str


class Provenance(Record):
    """Versions and hashes, each on its own: two results are comparable where task to split agree.

    ``scoring`` is the version of the rules by which predictions became numbers.
    """

    task: str
    weights: str
    annotations: str
    split: str
    method: str
    predictions: str
    evaluator: str
    scoring: Annotated[int, Field(ge=1)]
    floors: dict[str, FloorProvenance]
    resamples: Count
    resampling_seed: int


class ResultRecord(Record):
    """One method on one task. Every metric can be recomputed from the predictions file beside it."""

    schema_version: Literal[2] = 2
    method: MethodInfo
    task: TaskRecord
    status: Status
    tier: Tier
    created: AwareDatetime
    seeds: Annotated[list[int], Field(min_length=1)]
    coverage: Annotated[float, Field(ge=0, le=1)]
    failed_share: Annotated[float, Field(ge=0, le=1)]
    metrics: dict[str, Estimate]
    per_phase: dict[str, dict[str, Estimate]]
    per_fold: dict[str, dict[str, float | None]]
    worst_phase: WorstPhase | None
    confusion: Confusion | None
    absent_phases: dict[str, list[str]]
    left_out: Count
    floors: dict[str, dict[str, Estimate]]
    ceilings: dict[str, dict[str, Estimate]]
    lift: Lift | None
    cost: Cost
    units: list[UnitOutcome]
    environment: dict[str, str]
    provenance: Provenance
    warnings: list[str]
