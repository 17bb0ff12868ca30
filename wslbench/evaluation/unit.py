"""One unit: a method on one (task, fold, seed), in a process of its own."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np

from wslbench.errors import MethodError
from wslbench.evaluation.chunks import largest_chunk, random_chunks
from wslbench.evaluation.conversation import Conversation, StageFailedError
from wslbench.evaluation.ending import Ending
from wslbench.evaluation.failures import UnitFailure
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import LimitExceededError, Limits
from wslbench.evaluation.method_file import MethodFile
from wslbench.evaluation.prediction_checks import first_change, flaw
from wslbench.foreign_text import shown
from wslbench.typing import TaskInfo

if TYPE_CHECKING:
    from wslbench.architectures import Architecture
    from wslbench.zoo.models import Models

DisguiseKind = Literal["permutation", "scaling"]
DISGUISES: Final[tuple[DisguiseKind, ...]] = get_args(DisguiseKind)

PREDICTED_AGAIN: Final = 32  # models, in other company
_CHUNKS_AGAIN: Final = 3


@dataclass(frozen=True)
class Side:
    """Models of one side of a fold, their cells, and ``hyperparameters`` ``[n, 2]``: load, temperature.

    Cells and hyper-parameters stay in the parent, but for what the method's privilege says.
    """

    models: Models
    cells: np.ndarray
    hyperparameters: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Side:
        """The models of these positions."""
        return Side(self.models[rows], self.cells[rows], self.hyperparameters[rows])


class Disguise(NamedTuple):
    """One random, function-preserving change of every test model: of which kind, and which draw."""

    kind: DisguiseKind
    draw: int


@dataclass(frozen=True)
class Unit:
    """What is asked in one fold and seed.

    Attributes
    ----------
    key
        Text that names the unit. Everything random about it follows from it: every method, and every
        repetition, meets the same orders and chunks.
    target
        Of the train side: codes into ``classes`` (int64), or float64 where there are no classes.
    hidden
        Weights hashes of zoos that the method must not load.
    disguises
        Under which the test models are asked for once more each, after the evaluation proper.
    """

    key: str
    task: TaskInfo
    classes: tuple[str, ...]
    train: Side
    target: np.ndarray
    test: Side
    hidden: tuple[str, ...] = ()
    device: str = "cpu"
    disguises: tuple[Disguise, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UnitResult(Ending):
    """How a unit ended.

    Attributes
    ----------
    covered
        ``[n]`` bool: the test models that the method supports.
    predictions
        ``[n, classes]`` or ``[n, 1]``, NaN where not covered; None after a failure.
    disguised
        Predictions of the disguised test models, as ``predictions``; empty after a failure.
    """

    covered: np.ndarray
    predictions: np.ndarray | None = None
    disguised: dict[Disguise, np.ndarray] = field(default_factory=dict)


def run_unit(unit: Unit, method: MethodFile, launcher: Launcher, limits: Limits, stop: threading.Event) -> UnitResult:
    """Fit and predict in a fresh process, and leave nothing of it behind.

    Raises
    ------
    StoppedError
        If ``stop`` is set meanwhile.
    """
    with Conversation(launcher, limits, stop) as conversation:
        run = _Run(unit, method, conversation)
        failure = None
        try:
            run.load()
            run.fit()
            run.predict()
            conversation.watch()
        except (StageFailedError, LimitExceededError) as error:
            failure = UnitFailure(error.kind, shown(error.message), conversation.end().output)
        except MethodError as error:  # it was loaded before; now its import or __init__ fails
            failure = UnitFailure("fit_error", shown(str(error)), conversation.end().output)
        if failure is not None:
            run.progress |= {"predictions": None, "failure": failure, "disguised": {}}
    return UnitResult(**run.progress, peak_memory_bytes=conversation.watch.peak_bytes)


class _Run:
    """One unit's way through load, fit and predict; ``progress`` is what is known so far."""

    def __init__(self, unit: Unit, method: MethodFile, conversation: Conversation) -> None:
        self._unit = unit
        self._method = method
        self._conversation = conversation
        # Independent streams: what one stage draws must not depend on what another was spared.
        digest = hashlib.sha256(unit.key.encode()).digest()
        streams = np.random.default_rng(int.from_bytes(digest, "little")).spawn(5)
        self._fit_rng, self._chunk_rng, self._again_rng, self._id_rng, self._disguise_rng = streams
        self._seed = int(self._fit_rng.integers(2**31))
        self._privilege = "none"
        self._nothing_learnt = False
        self.progress: dict[str, Any] = {"covered": np.ones(len(unit.test.models), dtype=bool)}

    def load(self) -> None:
        architectures = _architectures(self._unit.train.models) | _architectures(self._unit.test.models)
        # In an order that tells nothing of how the two sides differ.
        architectures = dict(sorted(architectures.items()))
        declared, unsupported = self._conversation.load(self._method, architectures, self._seed, self._unit.hidden)
        self._privilege = declared.privilege
        self.progress["unsupported"] = unsupported
        self.progress["covered"] = _covered(self._unit.test.models, unsupported)

    def fit(self) -> None:
        unit, rng = self._unit, self._fit_rng
        order = rng.permutation(len(unit.train.models))
        cells, cell_of = np.unique(unit.train.cells, return_inverse=True)
        groups = rng.permutation(len(cells))[cell_of]
        order = order[_covered(unit.train.models, self.progress["unsupported"])[order]]
        if len(order) == 0:
            # Nothing to learn from: the test models are as good as uncovered.
            self.progress["covered"] = np.zeros(len(unit.test.models), dtype=bool)
            return
        arrays = {"target": unit.target[order], "groups": groups[order].astype(np.int64)}
        if self._privilege != "none":
            arrays |= _hyperparameter_arrays(unit.train.hyperparameters[order])
        facts = {
            "task": {"id": unit.task.id, "kind": unit.task.kind, "target": unit.task.target},
            "classes": list(unit.classes),
            "seed": self._seed,
            "device": unit.device,
            "target_phase": None,
        }
        models = unit.train.models[order]
        seconds, parameters = self._conversation.fit(models, self._fresh_ids(len(order)), facts, arrays)
        self.progress |= {"fit_seconds": seconds, "parameters": parameters}
        self._conversation.watch()

    def predict(self) -> None:
        covered = np.flatnonzero(self.progress["covered"])
        predictions, self.progress["predict_seconds"] = self._predict_all(covered, self._chunk_rng)
        self._predict_again(covered, predictions)
        self.progress["predictions"] = predictions
        self.progress["disguised"] = {
            disguise: self._predict_all(covered, self._disguise_rng, disguise)[0] for disguise in self._unit.disguises
        }

    def _predict_all(
        self, covered: np.ndarray, rng: np.random.Generator, disguise: Disguise | None = None
    ) -> tuple[np.ndarray, float]:
        """``[n, columns]`` predictions in random chunks, NaN where not covered, and the seconds they took."""
        predictions = np.full((len(self._unit.test.models), max(1, len(self._unit.classes))), np.nan)
        total = 0.0
        for chunk in random_chunks(self._unit.test.cells[covered], rng, largest_chunk(self._unit.test.models)):
            predictions[covered[chunk]], seconds = self._predict(covered[chunk], disguise)
            total += seconds
        return predictions, total

    def _predict_again(self, covered: np.ndarray, before: np.ndarray) -> None:
        """A random subset once more, under new ids, one of it alone and the others in other company."""
        rng = self._again_rng
        some = rng.permutation(covered)[:PREDICTED_AGAIN]
        if len(some) == 0:
            return
        scale = 1.0 if self._unit.classes else float(np.abs(before[covered]).mean())
        largest = largest_chunk(self._unit.test.models)
        company = random_chunks(self._unit.test.cells[some[1:]], rng, largest, _CHUNKS_AGAIN)
        for chunk in (some[:1], *(some[1:][part] for part in company)):
            after, _ = self._predict(chunk)
            row = first_change(before[chunk], after, scale)
            if row is not None:
                raise StageFailedError(
                    "chunk_dependent",
                    f"the same model got {_shown(before[chunk][row])} at first, and {_shown(after[row])} when it was "
                    f"predicted again {'alone' if len(chunk) == 1 else f'among {len(chunk) - 1} others'}",
                )

    def _predict(self, rows: np.ndarray, disguise: Disguise | None = None) -> tuple[np.ndarray, float]:
        side = self._unit.test[rows]
        models = side.models if disguise is None else self._disguised(side.models, disguise)
        arrays = _hyperparameter_arrays(side.hyperparameters) if self._privilege == "hyperparameters" else {}
        prediction, seconds = self._conversation.predict(models, self._fresh_ids(len(rows)), arrays)
        wrong = flaw(prediction, len(rows), self._unit.classes)
        if wrong is not None:
            raise StageFailedError(*wrong)
        return prediction.reshape(len(rows), -1), seconds

    def _disguised(self, models: Models, disguise: Disguise) -> Models:
        from wslbench import symmetry  # loads torch, which evaluations without disguises do without

        seed = int(self._disguise_rng.integers(2**31))
        kinds = {kind: kind == disguise.kind for kind in DISGUISES}
        return symmetry.disguise(models, seed, **kinds)

    def _fresh_ids(self, count: int) -> list[str]:
        return [self._id_rng.bytes(8).hex() for _ in range(count)]


def _architectures(models: Models) -> dict[str, Architecture]:
    return {stack.name: stack.architecture for stack in models.by_architecture()}


def _covered(models: Models, unsupported: dict[str, str]) -> np.ndarray:
    covered = np.ones(len(models), dtype=bool)
    for stack in models.by_architecture() if unsupported else ():
        covered[stack.positions] = stack.name not in unsupported
    return covered


def _hyperparameter_arrays(values: np.ndarray) -> dict[str, np.ndarray]:
    return {"load": values[:, 0], "temperature": values[:, 1]}


def _shown(row: np.ndarray) -> str:
    text = ", ".join(f"{value:.6g}" for value in row)
    return text if len(row) == 1 else f"[{text}]"
