"""What a reader should know before trusting the labels, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from wslbench.annotation.report.record import Record
from wslbench.landscape import PHASES

if TYPE_CHECKING:
    from wslbench.annotation.report.contents import Contents
    from wslbench.annotation.report.cutoff_evidence import CutoffEvidence

FEW_CELLS = 10
"""A phase with fewer finished cells than that is hardly a class to predict."""


class Caution(Record):
    """One sentence or two. ``doubt``: do not rely on it; ``gap``: not checked; ``fine``: holds."""

    kind: Literal["doubt", "gap", "fine"]
    text: str


def cautions(contents: Contents) -> list[Caution]:
    """Doubts first, then gaps, then what holds."""
    found = [
        *_labels(contents),
        *_boundaries(contents),
        *_thresholds(contents),
        *_kinds(contents),
        *_seeds(contents),
        *_checks(contents),
    ]
    return sorted(found, key=lambda caution: ("doubt", "gap", "fine").index(caution.kind))


def share(part: int, whole: int) -> str:
    """``12 of 156 (7.7 %)``."""
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else f"{part} of {whole}"


def _labels(contents: Contents) -> Iterator[Caution]:
    head = contents.head
    if not sum(head.cells.values()):
        yield Caution(kind="gap", text="No cell of this zoo has a phase.")
        return
    absent = [phase for phase in PHASES if not head.finished[phase]]
    few = [f"{phase} ({head.finished[phase]})" for phase in PHASES if 0 < head.finished[phase] < FEW_CELLS]
    if absent:
        yield Caution(kind="doubt", text=f"No finished cell is in phase {', '.join(absent)}.")
    if few:
        text = f"Fewer than {FEW_CELLS} finished cells: {', '.join(few)}. A score on such a phase rests on a handful."
        yield Caution(kind="doubt", text=text)
    if head.unfinished:
        text = f"{share(head.unfinished, head.total)} cells change phase when they are trained on: their labels are "
        yield Caution(kind="doubt", text=f"{text}about the length of training, and tasks leave them out.")
    if head.unlabelled:
        why = f"; {head.dead} of them hold a dead or diverged run" if head.dead else ""
        yield Caution(kind="doubt", text=f"{share(head.unlabelled, head.total)} cells have no phase{why}.")
    if head.compared > head.agreeing:
        text = f"The rule, applied to the stored order parameters, gives {share(head.agreeing, head.compared)} cells "
        yield Caution(kind="doubt", text=f"{text}the label that the zoo stores: its labels come from elsewhere.")
    elif head.compared:
        text = f"All {head.compared} stored labels come out again from the stored order parameters and cut-offs."
        yield Caution(kind="fine", text=text)
    former = contents.former
    if former is not None:
        text = f"{share(former.changed, former.cells)} labels differ from those of annotation version "
        kind: Literal["doubt", "fine"] = "doubt" if former.changed > 0.05 * former.cells else "fine"
        yield Caution(kind=kind, text=f"{text}{former.annotation_version}.")
    certainty = contents.certainty
    if certainty is None:
        yield Caution(kind="gap", text="The zoo has no phase probabilities.")
    elif certainty.certain_share is not None:
        text = f"{100 * certainty.certain_share:.0f} % of the finished cells keep their label in at least four of five "
        kind = "fine" if certainty.certain_share >= 0.8 else "doubt"
        yield Caution(kind=kind, text=f"{text}bootstrap draws of their seeds.")


def _boundaries(contents: Contents) -> Iterator[Caution]:
    sides = (
        (contents.cutoffs.train_loss, "converged and not converged", "Do not read I and II against III and IV as two"),
        (contents.cutoffs.cka, "IV-A and IV-B", "Do not read them as two kinds; use the four-phase score"),
    )
    for evidence, between, advice in sides:
        if evidence.verdict == "undefined":
            text = f"Whether {between} are two groups cannot be said: {evidence.cells} {evidence.over} are too few."
            yield Caution(kind="gap", text=text)
            continue
        numbers = f"separability {_three(evidence.separability)}, one hump reaches {_three(evidence.null)}"
        if evidence.verdict == "crossover":
            text = f"The boundary between {between} is a crossover: {numbers} in one sample of twenty. {advice}"
            text += " kinds of cells." if evidence.quantity == "train loss" else "."
            yield Caution(kind="doubt", text=text)
        else:
            barely = ", barely" if _margin(evidence) < 0.02 else ""
            text = f"{between[0].upper()}{between[1:]} are two groups{barely}: {numbers} in one sample of twenty."
            yield Caution(kind="fine", text=text)


def _margin(evidence: CutoffEvidence) -> float:
    return (evidence.separability or 0.0) - (evidence.null or 0.0)


def _thresholds(contents: Contents) -> Iterator[Caution]:
    section = contents.thresholds
    if section is None:
        return
    beside = [row for row in section.epsilon if abs(row.value - 2) == 1 and row.frozen is not None]
    if beside:
        most = max(row.frozen.changed for row in beside if row.frozen is not None)
        told = " and ".join(f"{row.frozen.changed} at ε = {row.value:g}" for row in beside if row.frozen is not None)
        text = (
            f"A point more or less for ε moves labels: of {section.cells} cells, {told} change (other cut-offs frozen)."
        )
        yield Caution(kind="doubt" if most > 0.1 * section.cells else "fine", text=text)


def _kinds(contents: Contents) -> Iterator[Caution]:
    longer = contents.kinds["longer"]
    if longer is None:
        yield Caution(kind="gap", text="Whether longer curves would change labels was not checked on this zoo.")
        return
    text = f"Curves trained twice as long change the label of {share(longer.changed, longer.cells)} checked cells."
    yield Caution(kind="doubt" if longer.changed > 0.05 * longer.cells else "fine", text=text)


def _seeds(contents: Contents) -> Iterator[Caution]:
    section = contents.seeds
    if section.why_not:
        yield Caution(kind="gap", text=f"The effect of fewer seeds was not looked at: {section.why_not}.")
        return
    told = " and ".join(f"{100 * row.agreement:.0f} % with {row.seeds}" for row in section.rows)
    worst = min(row.agreement for row in section.rows)
    text = f"With fewer seeds, cells keep the label that {section.seeds} seeds give them: {told}."
    yield Caution(kind="fine" if worst >= 0.9 else "doubt", text=text)


def _checks(contents: Contents) -> Iterator[Caution]:
    for check in contents.hessian:
        text = f"The Hessian trace ({check.side}) parts {100 * check.agreement:.0f} % of {check.cells} cells as the "
        kind: Literal["doubt", "fine"] = "fine" if check.agreement >= 0.9 else "doubt"
        advice = "" if kind == "fine" else " Do not read converged as flat: hot cells are flat unless annealed."
        yield Caution(kind=kind, text=f"{text}train loss does; a cross-check, no part of the rule.{advice}")
    for item in contents.health.checks:
        if item.failed:
            limit = "" if item.limit is None else f" of {100 * item.limit:g} %"
            yield Caution(kind="doubt", text=f"{share(item.failed, item.runs)} runs: {item.matter}{limit}.")


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")
