"""One unit of a generation task: a generator learns from train networks and draws, in a process of its own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wslbench.errors import MethodError
from wslbench.evaluation.conversation import Conversation, StageFailedError
from wslbench.evaluation.ending import Ending
from wslbench.evaluation.failures import UnitFailure
from wslbench.evaluation.generators.draw_checks import draw_flaw
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import LimitExceededError, Limits
from wslbench.evaluation.method_file import MethodFile
from wslbench.foreign_text import shown
from wslbench.typing import TaskInfo
from wslbench.zoo.models import Models


@dataclass(frozen=True)
class GenerationUnit:
    """What a generator is asked in one seed.

    Attributes
    ----------
    key
        Text that names the unit; everything random about it follows from it.
    train, phases, cells
        The networks to learn from, of one architecture, and of each its phase and its cell.
    target_phase, count
        How many networks of which phase are asked for.
    hidden
        Weights hashes of zoos that the generator must not load.
    """

    key: str
    task: TaskInfo
    train: Models
    phases: np.ndarray
    cells: np.ndarray
    target_phase: str
    count: int
    hidden: tuple[str, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class GenerationResult(Ending):
    """How a unit ended.

    Attributes
    ----------
    drawn
        ``[count, *shape]`` by name; None after a failure, and where the architecture is not supported.
    """

    drawn: Mapping[str, np.ndarray] | None = None


def run_generation_unit(
    unit: GenerationUnit, method: MethodFile, launcher: Launcher, limits: Limits, stop: threading.Event
) -> GenerationResult:
    """Fit and draw in a fresh process, and leave nothing of it behind.

    Raises
    ------
    StoppedError
        If ``stop`` is set meanwhile.
    """
    progress: dict[str, Any] = {}
    with Conversation(launcher, limits, stop) as conversation:
        try:
            _run(unit, method, conversation, progress)
            conversation.watch()
        except (StageFailedError, LimitExceededError) as error:
            progress["failure"] = UnitFailure(error.kind, shown(error.message), conversation.end().output)
        except MethodError as error:  # it was loaded before; now its import or __init__ fails
            progress["failure"] = UnitFailure("fit_error", shown(str(error)), conversation.end().output)
        if "failure" in progress:
            progress.pop("drawn", None)
    return GenerationResult(**progress, peak_memory_bytes=conversation.watch.peak_bytes)


def _run(unit: GenerationUnit, method: MethodFile, conversation: Conversation, progress: dict[str, Any]) -> None:
    """Ask for the draw; ``progress`` gets what the result has so far."""
    digest = hashlib.sha256(unit.key.encode()).digest()
    rng, id_rng = np.random.default_rng(int.from_bytes(digest, "little")).spawn(2)
    seed = int(rng.integers(2**31))
    (stack,) = unit.train.by_architecture()
    _, progress["unsupported"] = conversation.load(
        method, {stack.name: stack.architecture}, seed, unit.hidden, may_see_data=True
    )
    if progress["unsupported"]:
        return
    order = rng.permutation(len(unit.train))
    cells, cell_of = np.unique(unit.cells, return_inverse=True)
    groups = rng.permutation(len(cells))[cell_of]
    phases, codes = np.unique(unit.phases.astype(str), return_inverse=True)
    facts = {
        "task": {"id": unit.task.id, "kind": unit.task.kind, "target": unit.task.target},
        "classes": [str(phase) for phase in phases],
        "seed": seed,
        "device": unit.device,
        "target_phase": unit.target_phase,
    }
    arrays = {"target": codes[order].astype(np.int64), "groups": groups[order].astype(np.int64)}
    ids = [id_rng.bytes(8).hex() for _ in order]
    progress["fit_seconds"], progress["parameters"] = conversation.fit(unit.train[order], ids, facts, arrays)
    conversation.watch()
    drawn, progress["predict_seconds"] = conversation.generate(unit.count)
    wrong = draw_flaw(drawn, {name: stack.shape(name) for name in stack.keys()}, unit.count)  # noqa: SIM118
    if wrong is not None:
        raise StageFailedError(*wrong)
    progress["drawn"] = {name: drawn[name] for name in stack.keys()}  # noqa: SIM118
