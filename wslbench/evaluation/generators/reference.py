"""What every draw of a task is held against: train and held-out networks, and committed comparators."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wslbench.bundled import bundled_path
from wslbench.errors import ResultError
from wslbench.evaluation.generators.networks_table import Track
from wslbench.generation import comparators
from wslbench.generation.judge import VERSION, Judge, Judged
from wslbench.generation.lift import Draw, LiftScale
from wslbench.generation.phase_of_draw import PhaseOfDraw
from wslbench.symmetry import symmetries
from wslbench.tasks import DRAWN, GenerationProblem
from wslbench.training import seed_from

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Numbers = Annotated[list[float], Field(min_length=1)]
Places = Annotated[list[int], Field(min_length=1)]

NOISE: Final = (0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
AVERAGED: Final = (2, 3, 4)


class ComparatorsError(ResultError):
    """The committed comparators of a task are missing or of another version."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Judgement(_Record):
    """Networks of one draw as numbers: as they came, and after an epoch of fine-tuning."""

    distinct: Numbers
    source: Places
    accuracy: Numbers
    distinct_finetuned_1: Numbers
    source_finetuned_1: Places
    accuracy_finetuned_1: Numbers
    accuracy_finetuned_5: Numbers

    def draw(self, track: Track) -> list[Draw]:
        """The points that a track counts: fine-tuned ones as well where data are at hand."""
        plain = Draw(np.array(self.distinct), np.array(self.accuracy), np.array(self.source))
        tuned = Draw(
            np.array(self.distinct_finetuned_1), np.array(self.accuracy_finetuned_1), np.array(self.source_finetuned_1)
        )
        return [plain, tuned] if track == "with data" else [plain]


class HeldOut(_Record):
    """Order parameters of the held-out real networks, measured as a draw's are."""

    train_loss: float
    mode_connectivity: float
    cka: float
    probability: float
    diversity: float


class Comparators(_Record):
    """The committed file: what was scored once a task version, with the hashes that it holds for."""

    judge: Literal["1"] = VERSION
    task: str
    weights: str
    annotations: str
    split: str
    scratch: dict[str, float]
    real: Judgement
    real_phase: HeldOut
    comparators: dict[str, Judgement]


class Reference:
    """A problem's judge and its comparators.

    Parameters
    ----------
    problem
        Of any generation task.
    folder
        Where the committed comparators lie; those of the package where None.
    """

    def __init__(self, problem: GenerationProblem, folder: Path | None = None) -> None:
        self.problem = problem
        self._folder = folder
        self.judge = Judge(problem.zoo, list(problem.ids(problem.train)), list(problem.ids(problem.held_out)))
        self.lock = threading.Lock()
        self._scales: dict[Track, LiftScale] = {}

    @cached_property
    def comparators(self) -> Comparators:
        """The committed comparators.

        Raises
        ------
        ComparatorsError
            If they are missing, cannot be read, or were scored on another version of task, zoo or judge.
        """
        path = comparators_path(self.problem, self._folder)
        try:
            found = Comparators.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ComparatorsError(f"There are no comparators of {self.problem.task.id}: {path} is missing.") from None
        except (OSError, ValidationError) as error:
            raise ComparatorsError(f"The comparators {path} cannot be read: {error}") from error
        stale = [name for name, value in self.problem.hashes._asdict().items() if getattr(found, name) != value]
        if stale:
            raise ComparatorsError(
                f"The comparators {path} are of another {' and '.join(stale)}; score them anew with "
                "`python leaderboard/comparators/score.py`."
            )
        return found

    def scale(self, track: Track) -> LiftScale:
        """What lift is measured on, in a track."""
        with self.lock:
            if track not in self._scales:
                found = self.comparators
                points = {
                    f"{name} {number}": draw
                    for name, judgement in found.comparators.items()
                    for number, draw in enumerate(judgement.draw(track))
                }
                seed = seed_from("lift", self.problem.task.id, self.problem.hashes.split)
                self._scales[track] = LiftScale(found.real.draw(track)[-1], points, seed)
            return self._scales[track]

    def judgement(self, judged: Judged) -> Judgement:
        """A judged draw as numbers."""
        plain = self.judge.originality(judged.quality.classes)
        tuned = self.judge.originality(judged.quality.classes_finetuned[1])
        return Judgement(
            distinct=_rounded(plain.distinct),
            source=plain.nearest.tolist(),
            accuracy=_rounded(judged.quality.accuracy),
            distinct_finetuned_1=_rounded(tuned.distinct),
            source_finetuned_1=tuned.nearest.tolist(),
            accuracy_finetuned_1=_rounded(judged.quality.finetuned[1]),
            accuracy_finetuned_5=_rounded(judged.quality.finetuned[5]),
        )


def comparators_path(problem: GenerationProblem, folder: Path | None = None) -> Path:
    """Where a task's comparators lie."""
    return (bundled_path("comparators") if folder is None else folder) / f"{problem.task.id}.json"


def score_comparators(problem: GenerationProblem) -> Comparators:
    """Judge everything that can be drawn without learning, and held-out real networks: minutes.

    Training from scratch is the fine-tuning of freshly initialised networks: what it reaches says what a draw's
    fine-tuned accuracy is worth.
    """
    reference = Reference(problem)
    judge, name = reference.judge, f"{problem.task.id} comparators"
    ids = problem.train.loc[problem.train["phase"] == problem.phase, "model_id"]
    tensors, group = judge.tensors_of(list(ids)), symmetries(problem.architecture)
    random = np.random.default_rng(seed_from(name, problem.hashes.split))
    count = DRAWN
    draws = {"retrieval": comparators.retrieved(tensors, count, random)}
    draws |= {f"noise {scale:g}": comparators.noisy(tensors, scale, count, random) for scale in NOISE}
    draws |= {f"average of {of}": comparators.averaged(group, tensors, of, count, random) for of in AVERAGED}
    draws |= {"gaussian": comparators.gaussian(tensors, count, random)}
    draws |= {"gaussian, aligned": comparators.gaussian(tensors, count, random, group)}
    judged = {each: reference.judgement(judge.judge(drawn, name, with_phase=False)) for each, drawn in draws.items()}
    held_out = random.permutation(problem.ids(problem.held_out))[:count]
    real = judge.judge(judge.tensors_of(list(held_out)), name)
    assert real.phase is not None
    diversity = float(judge.originality(real.quality.classes).diversity.mean())
    fresh = judge.judge(judge.initialised(name, count), name, with_phase=False)
    return Comparators(
        **problem.hashes._asdict(),
        scratch={
            f"accuracy_finetuned_{epoch}": round(float(values.mean()), 6)
            for epoch, values in fresh.quality.finetuned.items()
        },
        real=reference.judgement(real),
        real_phase=_held_out(real.phase, problem.phase, diversity),
        comparators=judged,
    )


def _held_out(phase: PhaseOfDraw, wanted: str, diversity: float) -> HeldOut:
    return HeldOut(
        train_loss=phase.train_loss,
        mode_connectivity=phase.mode_connectivity,
        cka=phase.cka,
        probability=phase.probability.get(wanted, 0.0),
        diversity=diversity,
    )


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), 6) for value in values]
