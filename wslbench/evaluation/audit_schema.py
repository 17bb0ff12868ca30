"""The schema of an audit: a method's predictions on a task when weights change and functions do not."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from wslbench.evaluation.result_schema import Estimate, MethodInfo, Record, Status


class Disguised(Record):
    """Predictions under one kind of symmetry.

    Attributes
    ----------
    score
        The headline on the disguised models; mean over draws and seeds.
    score_drop
        By how much it is worse than on the models as they are (positive: worse). 95 % interval ``low`` to ``high`` over
        held-out units, on the same resamples.
    spread
        Root mean square distance of a model's predictions from their mean over its disguises, itself included: of a
        probability, or of a value in standard deviations of the target. 0: blind to the symmetry.
    """

    score: Estimate
    score_drop: float | None
    low: float | None
    high: float | None
    spread: float | None


class AuditProvenance(Record):
    """Versions and hashes; an audit is current where task to method agree."""

    task: str
    weights: str
    annotations: str
    split: str
    method: str
    evaluator: str


class AuditRecord(Record):
    """One method's audit on one task."""

    schema_version: Literal[1] = 1
    method: MethodInfo
    task: str
    metric: str
    status: Status
    message: str
    created: AwareDatetime
    seeds: Annotated[list[int], Field(min_length=1)]
    draws: Annotated[int, Field(ge=1)]
    coverage: Annotated[float, Field(ge=0, le=1)]
    score: Estimate
    permutation: Disguised | None
    scaling: Disguised | None
    provenance: AuditProvenance
