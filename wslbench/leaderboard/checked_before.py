"""Results that were found to stand before: what a board needs of them, kept in the user's cache.

To score a result takes a tenth of a second, which ten thousand of them do not have. What was scored is kept under
a hash of the record, its predictions, the task, the zoos, the floors and the code that scores: a change to any of these
is another name. A cache that cannot be read or written costs time and nothing else. ``wslbench leaderboard verify``
does not look at it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

import wslbench
from wslbench.datasets._places import cache_folder
from wslbench.evaluation.floors import FLOORS
from wslbench.leaderboard.points import Points
from wslbench.tasks import Task
from wslbench.zoo import Zoo
from wslbench.zoo.atomic import replacing

FloatArray = npt.NDArray[np.float64]

LARGEST: Final = 64 << 20  # bytes of one task's file, above which what was not asked for is dropped
_SCORING: Final = ("evaluation/**/*.py", "tasks/**/*.py", "generation/**/*.py", "leaderboard/points.py")


class Known(NamedTuple):
    """What is kept of a result, as in :class:`~wslbench.leaderboard.checking.Entry`."""

    draws: FloatArray
    tail: float
    points: Points | None


def default_cache() -> Path:
    """Where the boards' part of the user's cache lies."""
    return cache_folder() / "leaderboard"


class CheckedBefore:
    """What is known of the results of one task.

    Parameters
    ----------
    folder
        Of the cache; None for none.
    task, zoos, floors
        What the results are scored with; ``floors`` is a folder of results.
    """

    def __init__(self, folder: Path | None, task: Task, zoos: Sequence[Zoo], floors: Path) -> None:
        self._path = None if folder is None else folder / f"{_name(task, zoos, floors)}.safetensors"
        self._known: dict[str, npt.NDArray[np.float64]] = {}
        self._new, self._asked = False, set[str]()
        if self._path is not None:
            with suppress(OSError, SafetensorError, ValueError):
                self._known = dict(load(self._path.read_bytes()))

    def get(self, digest: str) -> Known | None:
        """What is known of a result."""
        draws, points = self._known.get(digest), self._known.get(f"{digest} points")
        if draws is None or draws.ndim != 1 or len(draws) < 2:
            return None
        self._asked.add(digest)
        shown = None if points is None else Points(points[0], points[1], points[2].astype(np.int64))
        return Known(draws[1:], float(draws[0]), shown)

    def put(self, digest: str, known: Known) -> None:
        """Keep what was found out about a result."""
        self._known[digest] = np.array([known.tail, *known.draws])
        if known.points is not None:
            self._known[f"{digest} points"] = np.stack([np.asarray(row, np.float64) for row in known.points])
        self._asked.add(digest)
        self._new = True

    def save(self) -> None:
        """Write what is new; nothing happens where it cannot be written."""
        if self._path is None or not self._new:
            return
        if sum(array.nbytes for array in self._known.values()) > LARGEST:
            self._known = {name: array for name, array in self._known.items() if name.split()[0] in self._asked}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as temporary:
                temporary.write_bytes(save(self._known))


def digest_of(path: Path) -> str:
    """Hash of a record and the predictions beside it; of what is missing, nothing is in it."""
    digest = hashlib.sha256()
    for file in (path, path.with_suffix(".parquet")):
        with suppress(OSError):
            content = file.read_bytes()
            digest.update(f"{len(content)} ".encode() + content)
    return digest.hexdigest()


def _name(task: Task, zoos: Sequence[Zoo], floors: Path) -> str:
    parts = [task.hash, _source_hash(), *(str(sorted(zoo.versions.items())) for zoo in zoos)]
    parts += [digest_of(floors / name / f"{task.id}.json") for name in FLOORS]
    parts += [hashlib.sha256((zoo.path / "manifest.json").read_bytes()).hexdigest() for zoo in zoos]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _source_hash() -> str:
    """Hash of the code that scores."""
    package = Path(wslbench.__file__).parent
    digest = hashlib.sha256(wslbench.__version__.encode())
    for file in sorted(file for pattern in _SCORING for file in package.glob(pattern)):
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
