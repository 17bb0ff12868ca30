"""What one generation task's results are scored with, worked out once however many results there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from wslbench.evaluation.findings import Findings, estimate, estimates
from wslbench.evaluation.generators.networks_table import Track
from wslbench.evaluation.generators.reference import Reference
from wslbench.evaluation.generators.scoring import score_judgement, score_networks
from wslbench.evaluation.result_schema import Estimate, FloorProvenance, Lift, MethodInfo, TaskRecord
from wslbench.evaluation.scores import Scores
from wslbench.tasks import DRAWN, Hashes
from wslbench.zoo.hashing import hash_rows

REAL: Final = "held_out_networks"


def track_of(method: MethodInfo) -> Track:
    """The track that a generator is in: with data where it claims them."""
    return "with data" if method.privilege == "data" else "weights only"


def hash_networks(table: pd.DataFrame) -> str:
    """Hash of the rows, independent of their order and of how parquet stored them."""
    return hash_rows(table, ["seed", "network"])


class GenerationScorer:
    """Scores judged networks of one task, beside its comparators and held-out real networks.

    Floors are the comparators that make the envelope; the ceiling, held-out real networks.
    """

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    @property
    def hashes(self) -> Hashes:
        """What was asked, as hashes: of task, weights, annotations, split."""
        return self.reference.problem.hashes

    def hash_of(self, networks: pd.DataFrame) -> str:
        """Hash of judged networks as they stand in a file."""
        return hash_networks(networks)

    def score(self, networks: pd.DataFrame) -> Scores:
        """Every metric on the draws and their resamples.

        Raises
        ------
        ResultError
            If the table is not one of judged networks.
        """
        return score_networks(self.reference, networks)

    def floors_beside(self, method: str) -> dict[str, FloorProvenance]:
        """None: what a draw is held against are comparators, which belong to the task."""
        return {}

    def findings(self, info: MethodInfo, networks: pd.DataFrame, scores: Scores, seeds: int) -> Findings:
        """Everything in a generator's record that follows from its judged networks; ``seeds`` were asked for."""
        track, lift = track_of(info), estimate(scores.metrics["lift"])
        return Findings(
            task=self._task(),
            failed_share=1 - networks["seed"].nunique() / max(1, seeds),
            metrics=estimates(scores.metrics),
            per_phase={},
            per_fold={},
            worst_phase=None,
            confusion=None,
            absent_phases={},
            left_out=0,
            floors=_envelope(self.reference, track),
            ceilings={REAL: _real(self.reference, track)},
            lift=Lift(value=lift.value, low=lift.low, high=lift.high, metric="accuracy", over="comparators"),
        )

    def notes(self, info: MethodInfo, networks: pd.DataFrame, lift: Lift | None) -> Sequence[str]:
        """What the reader of a generator's record should know: its track, and why it has no lift."""
        track = track_of(info)
        without = lift is None or lift.value is None
        return [f"Track: {track}.", *([_no_lift(self.reference, track)] if without and len(networks) else [])]

    def _task(self) -> TaskRecord:
        problem = self.reference.problem
        task = problem.task
        return TaskRecord(
            id=task.id,
            zoo=task.zoo,
            kind=task.kind,
            target=task.target,
            protocol=task.protocol,
            transform=task.transform,
            headline=task.headline,
            label=task.label,
            unit="network",
            models=DRAWN,
            cells=int(problem.held_out["cell_id"].nunique()),
            units=DRAWN,
        )


def _no_lift(reference: Reference, track: Track) -> str:
    scale = reference.scale(track)
    ends = scale.envelope.novelty
    return (
        "No lift is given: a draw's novelty lies outside the range of the comparators "
        f"({ends[0]:.2f} to {ends[-1]:.2f}), or its networks are nearest to fewer than "
        f"{scale.least_sources:.1f} train networks, "
        "or real networks do not rise above the comparators."
    )


def _envelope(reference: Reference, track: Track) -> dict[str, dict[str, Estimate]]:
    """The comparators that the envelope hangs on."""
    corners = set(reference.scale(track).envelope.novelty.tolist())
    found: dict[str, dict[str, Estimate]] = {}
    for name, judgement in reference.comparators.comparators.items():
        for number, metrics in enumerate(score_judgement(reference, judgement, track)):
            if float(metrics["novelty"][0]) in corners:
                found[f"{name}, fine-tuned" if number else name] = estimates({k: v[None] for k, v in metrics.items()})
    return found


def _real(reference: Reference, track: Track) -> dict[str, Estimate]:
    real = reference.comparators.real
    metrics = dict(score_judgement(reference, real, track)[-1])
    phase = reference.comparators.real_phase
    facts = phase.model_dump() | {"phase_fidelity": phase.probability}
    del facts["probability"]
    facts |= {
        "accuracy_finetuned_1": float(np.mean(real.accuracy_finetuned_1)),
        "accuracy_finetuned_5": float(np.mean(real.accuracy_finetuned_5)),
    }
    plain = {name: Estimate(value=value, low=None, high=None) for name, value in facts.items()}
    return estimates({name: values[None] for name, values in metrics.items()}) | plain
