"""Everything that the report says, as one record: ``report.json``, and what the page is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from wslbench.annotation.report.cautions import Caution, cautions
from wslbench.annotation.report.cell_rows import CellRow, cell_rows
from wslbench.annotation.report.connectivity_kinds import KINDS, KindSection, kind_section
from wslbench.annotation.report.cross_checks import (
    CertaintySection,
    HessianCheck,
    certainty_section,
    hessian_checks,
)
from wslbench.annotation.report.cutoff_evidence import CutoffSection, cutoff_section
from wslbench.annotation.report.former_labels import FormerSection, former_section
from wslbench.annotation.report.head import Head, head
from wslbench.annotation.report.health import HealthSection, health_section
from wslbench.annotation.report.record import Record
from wslbench.annotation.report.seed_subsets import SubsetSection, subset_section
from wslbench.annotation.report.threshold_sensitivity import ThresholdSection, threshold_section

if TYPE_CHECKING:
    from wslbench.annotation.report.measurements import Measurements
    from wslbench.zoo import Zoo


class Contents(Record):
    """The sections, None where the zoo lacks what one needs; ``files`` are all that the report consists of."""

    kind: Literal["wslbench phase report"] = "wslbench phase report"
    version: Literal[1] = 1
    head: Head
    cells: list[CellRow]
    cutoffs: CutoffSection
    thresholds: ThresholdSection | None
    kinds: dict[str, KindSection | None]
    seeds: SubsetSection
    certainty: CertaintySection | None
    hessian: list[HessianCheck]
    former: FormerSection | None
    health: HealthSection
    summary: tuple[Caution, ...] = ()
    files: tuple[str, ...] = ()


def contents_of(zoo: Zoo, measured: Measurements) -> Contents:
    """Compute every section."""
    contents = Contents(
        head=head(zoo, measured),
        cells=cell_rows(measured),
        cutoffs=cutoff_section(measured),
        thresholds=threshold_section(measured),
        kinds={kind: kind_section(measured, kind) for kind in KINDS},
        seeds=subset_section(measured),
        certainty=certainty_section(measured),
        hessian=hessian_checks(measured),
        former=former_section(zoo.card),
        health=health_section(measured),
    )
    return contents.model_copy(update={"summary": tuple(cautions(contents))})
