"""Annotating a zoo that stands already: measure its cells, name their phases, make its splits.

Killed at any moment it goes on where it was: a staged cell is not measured again. The zoo itself is replaced at one
stroke at the end; its weights stay the very same files.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd
import torch

from wslbench.annotation.cells import PhaseRule, annotate_cells
from wslbench.annotation.continued import continued_epoch, continued_runs
from wslbench.annotation.fit import check_networks_fit
from wslbench.annotation.former import former_labels
from wslbench.annotation.jobs import annotate_cells_of, annotation_jobs
from wslbench.annotation.options import AnnotationOptions
from wslbench.annotation.protocol_splits import protocol_splits
from wslbench.annotation.record import annotation_record
from wslbench.annotation.rule_text import rule_record
from wslbench.annotation.table import annotated_table
from wslbench.engines import Engine, make_engine
from wslbench.errors import ZooError
from wslbench.training import TRAINER_VERSION
from wslbench.zoo import Zoo
from wslbench.zoo.atomic import clear_leftovers, write_text
from wslbench.zoo.sole_writer import sole_writer
from wslbench.zoo.staging import Staging
from wslbench.zoo.writer import is_displaced, recover, rewrite_annotations

_NOTE: Final = "annotated.json"
_BUSY: Final = "{} is being annotated by another process: wait for it, or stop it"

Report = Callable[[float], None]
"""Called with the share of the whole work that is done, from 0 to 1."""


class AnnotatedZoo(NamedTuple):
    """A zoo with its new annotations, and what its maker should know."""

    zoo: Zoo
    notes: list[str]


def annotate_zoo(
    zoo: Zoo,
    options: AnnotationOptions,
    engine: Engine | None = None,
    report: Report | None = None,
    device: str = "cpu",
) -> AnnotatedZoo:
    """Measure every cell of a zoo at its measured epoch, and replace its annotations.

    Results at a continued epoch that an earlier annotation by the same definition left are kept: the networks are not
    there any more.

    Parameters
    ----------
    zoo
        Any zoo whose card names the architectures.
    options
        What its networks saw and how it is measured; see :func:`options_of`.
    engine
        What runs the jobs; None: two local processes.
    report
        Told now and then which share of the work is done.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    ZooError
        If the zoo is being annotated right now, or its staging folder was begun with other options or weights.
    DatasetError
        If the data set is not there.
    LandscapeError
        If the networks do not take the data set's samples.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ZooError(f"device {device!r} is not there: this PyTorch sees no CUDA device; use --device cpu")
    check_networks_fit(zoo, options)
    fingerprint = annotation_fingerprint(zoo, options)
    folder = staging_folder(zoo.path)
    with sole_writer(zoo.path, _BUSY.format(zoo.path)):
        recover(zoo.path)
        clear_leftovers(folder)
        finished = _finished_before(zoo, options, folder)
        if finished is None:
            _measure(zoo, options, fingerprint, folder, engine or make_engine("local", 2), report, device)
            finished = _finish(zoo, options, Staging(folder, fingerprint))
        Staging(folder, fingerprint).remove()
    return finished


def open_zoo(folder: Path) -> Zoo:
    """The zoo at a folder; put back first if a call was killed in the moment in which it was being replaced.

    Raises
    ------
    ZooError
        As :class:`Zoo` does, or if another process is about to put it back.
    """
    if is_displaced(folder):
        with sole_writer(folder, _BUSY.format(folder)):
            recover(folder)
    return Zoo(folder)


def _finished_before(zoo: Zoo, options: AnnotationOptions, staging: Path) -> AnnotatedZoo | None:
    """The zoo, if a call of these very options was killed when its annotations stood already."""
    note = staging / _NOTE
    if not note.is_file() or json.loads(note.read_text(encoding="utf-8")) != _note(
        zoo.card.annotation_version, options
    ):
        return None
    return AnnotatedZoo(zoo, ["an earlier call had annotated it, and was killed before it could say so"])


def _note(annotation_version: int, options: AnnotationOptions) -> dict[str, Any]:
    """What is noted before annotations of this version take the place of the former."""
    return {"annotation_version": annotation_version, "options": options.model_dump(mode="json")}


def staging_folder(zoo: Path) -> Path:
    """Where the measurements of a zoo wait until all cells are done."""
    return zoo.with_name(f"{zoo.name}.annotation.partial")


def annotation_fingerprint(zoo: Zoo, options: AnnotationOptions) -> dict[str, Any]:
    """What staged measurements are bound to: weights, and everything that changes numbers."""
    words = {"connectivity_noise", "cutoffs", "definition"}
    return {
        "zoo": zoo.name,
        "weights": zoo.versions["weights"],
        "options": options.model_dump(mode="json", exclude=words),
        "definition": options.settled_definition().model_dump(mode="json"),
        "trainer_version": TRAINER_VERSION,
    }


def _measure(
    zoo: Zoo,
    options: AnnotationOptions,
    fingerprint: dict[str, Any],
    staging: Path,
    engine: Engine,
    report: Report | None,
    device: str,
) -> None:
    tell = report or (lambda share: None)
    every = annotation_jobs(zoo, staging, fingerprint, options, set(), device)
    total = sum(job.cost for job in every)
    done = Staging(staging, fingerprint).staged()
    jobs = annotation_jobs(zoo, staging, fingerprint, options, done, device) if done else every
    behind = total - sum(job.cost for job in jobs)
    tell(behind / total)
    if jobs:
        engine.run(jobs, annotate_cells_of, staging, lambda finished: tell(min(1.0, (behind + finished) / total)))


def _finish(zoo: Zoo, options: AnnotationOptions, staging: Staging) -> AnnotatedZoo:
    staged = [staging.read(cell) for cell in sorted(staging.staged())]
    runs = pd.concat([cell.rows for cell in staged], ignore_index=True).drop(columns="architecture")
    pairs = pd.concat([cell.pairs for cell in staged], ignore_index=True)
    card = zoo.card
    later = continued_epoch(zoo, options)
    if later is not None:
        old = zoo.pairs
        pairs = pd.concat([pairs, old[old["epoch"] == later]], ignore_index=True)
        runs = pd.concat([runs, continued_runs(zoo, later)], ignore_index=True)
    rule = PhaseRule(zoo.name, options.connectivity_noise, options.cutoffs)
    load, temperature = card.load.column, card.temperature.column
    grid = zoo.cells.set_index("cell_id")[[load, temperature]]
    annotated = annotate_cells(rule, grid, runs, pairs, card.measured_epoch, later)
    table, table_notes = annotated_table(zoo, runs, annotated.cells)
    splits, refused = protocol_splits(zoo.name, annotated.cells, table, load, temperature)
    phase_rule = rule_record(annotated, options.connectivity_noise)
    if phase_rule is not None:
        phase_rule |= former_labels(zoo, annotated.cells)
    fresh = card.model_copy(
        update={
            "phase_rule": phase_rule,
            "annotation": annotation_record(zoo.name, next(iter(card.architectures.values())), options),
        }
    )
    write_text(staging.folder / _NOTE, json.dumps(_note(card.annotation_version + 1, options)))
    rewritten = rewrite_annotations(zoo.path, fresh, table, pairs, splits)
    return AnnotatedZoo(rewritten, [*annotated.notes, *table_notes, *refused])
