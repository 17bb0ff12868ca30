"""What stands at the head of the page: which zoo, which versions, which rule, how many cells of each phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import wslbench
from wslbench.annotation.report.cross_checks import CERTAIN_FROM
from wslbench.annotation.report.record import Counts, Record, count_phases, printable
from wslbench.annotation.report.settings import annotation_record, leaves
from wslbench.landscape.phases import CONNECTED_FROM

if TYPE_CHECKING:
    from wslbench.annotation.report.measurements import Measurements
    from wslbench.zoo import Zoo


_LONGEST_VALUE = 120
"""Characters."""


_SETTLED = ("definition", "curve", "hessian")
_EMPTY: tuple[object, ...] = (None, {}, [])


class Fact(Record):
    """A name and its value, both as text."""

    name: str
    value: str


class Head(Record):
    """The zoo, its rule, its counts.

    Attributes
    ----------
    title, description, facts
        What the zoo says of itself.
    load, temperature
        What the axes are called.
    definition
        By which definition order parameters were measured; empty where the card does not say.
    rule
        The phase rule in words, a sentence a condition.
    stored_rule
        The rule's text as the card has it.
    cells, finished, certain
        Cells a phase: all; those that do not change when trained on; of these, those with a probability of at
        least .8 (None where there are no probabilities).
    total, unlabelled, dead, unfinished, unstable
        Cells; ``unstable`` and ``unfinished`` may overlap.
    agreeing, compared
        Of the stored labels, how many come out again from the stored order parameters and cut-offs.
    """

    title: str
    description: str
    facts: list[Fact]
    load: str
    temperature: str
    definition: list[Fact]
    rule: list[str]
    stored_rule: str
    cells: Counts
    finished: Counts
    certain: Counts | None
    total: int
    unlabelled: int
    dead: int
    unfinished: int
    unstable: int
    agreeing: int
    compared: int


def head(zoo: Zoo, measured: Measurements) -> Head:
    """Read it off the card and the cells."""
    card, cells = zoo.card, measured.cells
    finished = cells[~cells["unfinished"]]
    certain = None
    unstable = 0
    if "phase_probability" in cells:
        certain = count_phases(finished.loc[finished["phase_probability"] >= CERTAIN_FROM, "phase"])
        unstable = int((cells["phase_probability"] < CERTAIN_FROM).sum())
    compared = cells[cells["phase"].notna() & cells["rule_phase"].notna()]
    return Head(
        title=printable(zoo.name),
        description=printable(card.description),
        facts=_facts(zoo, measured),
        load=printable(card.load.label),
        temperature=printable(card.temperature.label),
        definition=_definition(zoo),
        rule=rule_in_words(measured),
        stored_rule=printable((card.phase_rule or {}).get("rule", "")),
        cells=count_phases(cells["phase"]),
        finished=count_phases(finished["phase"]),
        certain=certain,
        total=len(cells),
        unlabelled=int(cells["phase"].isna().sum()),
        dead=int(cells["dead"].sum()),
        unfinished=int(cells["unfinished"].sum()),
        unstable=unstable,
        agreeing=int((compared["phase"] == compared["rule_phase"]).sum()),
        compared=len(compared),
    )


def rule_in_words(measured: Measurements) -> list[str]:
    """The rule with this zoo's numbers."""
    cutoffs = measured.cutoffs
    if cutoffs is None:
        return [f"The rule cannot be applied: {measured.problem}"]
    noise = measured.noise_factor
    tolerance = ", or at least minus the cell's tolerance where that is larger" if _has_tolerance(measured) else ""
    if noise is not None:
        tolerance += (
            f" (tolerance: {noise:g} × the standard deviation of the error between the cell's seeds, in per cent)"
        )
    source = "the card's" if measured.frozen else "fitted for this report, because the card has none"
    return [
        f"Converged: the mean train loss is below {cutoffs.train_loss:.3g}.",
        f"Connected: mode connectivity is at least {CONNECTED_FROM:g} percentage points{tolerance}.".replace("-", "−"),
        "I: neither. II: connected only. III: converged only. IV: both.",
        f"In IV, IV-B where CKA is at least {cutoffs.cka:.3g}, else IV-A.",
        f"The cut-offs are {source}.",
    ]


def _has_tolerance(measured: Measurements) -> bool:
    return "connectivity_tolerance" in measured.cells


def _facts(zoo: Zoo, measured: Measurements) -> list[Fact]:
    card, runs = zoo.card, measured.runs
    data = card.data_set
    seeds = measured.cells["runs"]
    each = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    axes = [f"{axis.label} ({axis.column}), {len(axis.values)} values" for axis in (card.load, card.temperature)]
    facts = {
        "data set": f"{data.name} ({card.modality}): {data.sizes}. {data.description}",
        "load": axes[0],
        "temperature": axes[1],
        "runs": f"{runs['run_id'].nunique():,} in {len(measured.cells):,} cells, {each} seeds a cell",
        "measured at epoch": f"{card.measured_epoch}",
        "pairs of seeds": f"{len(measured.pairs):,}",
        "content version": card.content_version,
        "annotation version": f"{card.annotation_version}",
        "weights hash": zoo.versions["weights"],
        "annotations hash": zoo.versions["annotations"],
        "measured with": ", ".join(f"{name} {version}" for name, version in sorted(card.software.items())),
        "report by": f"wslbench {wslbench.__version__}",
        "licence": card.licence,
        "citation": card.citation,
    }
    return [Fact(name=name, value=printable(value).strip()) for name, value in facts.items()]


def _definition(zoo: Zoo) -> list[Fact]:
    # Zoos annotated before cards had such a record: what their recipes say of it.
    recipe: dict[str, object] = {
        name: zoo.card.recipe[name] for name in ("curve", "hessian") if name in zoo.card.recipe
    }
    record = dict(annotation_record(zoo.card))
    if "definition" in record and isinstance(record.get("options"), Mapping):
        # The definition has taken these from the options already.
        record["options"] = {name: value for name, value in record["options"].items() if name not in _SETTLED}
    said = leaves(record or recipe)
    return [Fact(name=printable(" · ".join(path)), value=_said(value)) for path, value in said if value not in _EMPTY]


def _said(value: object) -> str:
    """A value as text; the numbers of samples may be hundreds, and their beginning is enough to compare."""
    text = printable(", ".join(map(str, value)) if isinstance(value, list) else value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"
