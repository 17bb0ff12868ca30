"""The rows of a task's table: methods, and among them the floors, the oracle and the ceilings, marked as such."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.floors import LEGAL_FLOORS, ORACLE
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.leaderboard.verified import Verified
from wslbench.tasks.metrics.registry import METRICS

Role = Literal["method", "floor", "oracle", "ceiling"]


@dataclass(frozen=True)
class Row:
    """One row: a name, its metrics, and the record behind it where there is one of its own.

    ``elsewhere`` is the headline under other protocols of the same target, by protocol.
    """

    name: str
    role: Role
    metrics: Mapping[str, Estimate]
    record: ResultRecord | None = None
    rank: int | None = None
    audit: AuditRecord | None = None
    elsewhere: Mapping[str, Estimate] = field(default_factory=dict)
    verified: Verified | None = None

    @property
    def tier(self) -> str | None:
        """How the method was isolated; ``verified`` where it finished on a re-grown zoo as well."""
        return None if self.record is None else tier_of(self.record, self.verified)

    @property
    def failed(self) -> bool:
        return self.record is not None and self.record.status != "ok"


def table_rows(
    records: Sequence[ResultRecord],
    ranks: Mapping[str, int] | None = None,
    audits: Mapping[str, AuditRecord] | None = None,
    elsewhere: Mapping[str, Mapping[str, Estimate]] | None = None,
    verified: Mapping[str, Verified] | None = None,
) -> list[Row]:
    """The rows of one task: best headline first, failed results last, ceilings above everything.

    Floors come from results of their own where there are some, else from what the records carry of them.
    """
    ranks, audits, elsewhere, verified = ranks or {}, audits or {}, elsewhere or {}, verified or {}
    rows = [
        Row(
            name,
            role_of(record),
            record.metrics,
            record,
            ranks.get(name),
            audits.get(name),
            elsewhere.get(name, {}),
            verified.get(name),
        )
        for record in records
        for name in [record.method.name]
    ]
    names = {row.name for row in rows}
    carried = {name: metrics for record in records for name, metrics in record.floors.items() if name not in names}
    rows += [Row(name, "oracle" if name == ORACLE else "floor", metrics) for name, metrics in carried.items()]
    ceilings = {name: metrics for record in records for name, metrics in record.ceilings.items()}
    headline = records[0].task.headline
    above = [Row(name.replace("_", " "), "ceiling", metrics) for name, metrics in ceilings.items()]
    return sorted(above, key=lambda row: _order(row, headline)) + sorted(rows, key=lambda row: _order(row, headline))


def tier_of(record: ResultRecord, verified: Verified | None) -> str:
    """What the board says of a result's isolation."""
    return "verified" if verified is not None and verified.ok else record.tier


def role_of(record: ResultRecord) -> Role:
    """What a method is on the board."""
    if record.method.name in LEGAL_FLOORS:
        return "floor"
    return "oracle" if record.method.privilege == "hyperparameters" else "method"


def _order(row: Row, headline: str) -> tuple[bool, float, str]:
    estimate = row.metrics.get(headline)
    value = math.nan if estimate is None or estimate.value is None else estimate.value
    if math.isnan(value):
        return row.failed, math.inf, row.name
    return row.failed, -value if METRICS[headline].higher_is_better else value, row.name
