"""The journal of an evaluation: every finished unit, so that an interrupted evaluation goes on where it was.

A file a (task, fold, seed) under ``<out>/<method>/.journal/``, written whole, keyed by hashes of everything
that its outcome depends on. A changed key runs the unit again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from wslbench.errors import ResultError
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.result_schema import UnitOutcome
from wslbench.zoo.atomic import write_text

_LIMIT_KINDS: Final = ("timeout", "out_of_memory")


class JournalEntry(BaseModel):
    """A finished unit: how it ended, and its predictions by model.

    ``limit_seconds`` and ``limit_bytes`` are those that it ran under; ``unsupported`` says why which
    architecture was left out; ``disguised`` holds predictions of every draw by the kind of disguise; ``networks``
    the judged networks of a generator, by column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    limit_seconds: float
    limit_bytes: int
    outcome: UnitOutcome
    output: str = ""
    unsupported: dict[str, str] = {}
    model_ids: list[str] = []
    predictions: list[list[float]] = []
    disguised: dict[str, list[list[list[float]]]] = {}
    networks: dict[str, list[int | float | str | None]] = {}


class Journal:
    """The finished units of one method in one results folder.

    Parameters
    ----------
    folder
        ``<out>/<method>``; made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".journal"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the journal: two evaluations of one method into one folder would overwrite each other.

        Raises
        ------
        ResultError
            If the folder cannot be written, or another evaluation holds it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("w")
        except OSError as error:
            raise ResultError(f"The folder {self._folder} cannot be written: {error.strerror}.") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ResultError(
                    f"Another evaluation is writing into {self._folder.parent}. Wait for it, or choose another --out."
                ) from error
            yield

    def find(self, task_id: str, fold: int, seed: int, key: str) -> JournalEntry | None:
        """The unit's entry, if it is there, readable and of this key."""
        try:
            entry = JournalEntry.model_validate_json(self._path(task_id, fold, seed).read_bytes())
        except (OSError, ValidationError):
            return None
        return entry if entry.key == key else None

    def keep(self, task_id: str, entry: JournalEntry) -> None:
        """Write an entry, over an older one of the same unit."""
        path = self._path(task_id, entry.outcome.fold, entry.outcome.seed)
        try:
            path.parent.mkdir(exist_ok=True)
            write_text(path, entry.model_dump_json())
        except OSError as error:
            raise ResultError(f"The journal {path} cannot be written: {error.strerror}.") from error

    def forget(self, task_id: str, fold: int, seed: int) -> None:
        """Take out a unit's entry, if there is one."""
        self._path(task_id, fold, seed).unlink(missing_ok=True)

    def _path(self, task_id: str, fold: int, seed: int) -> Path:
        return self._folder / task_id / f"seed-{seed}-fold-{fold}.json"


def unit_key(*parts: str) -> str:
    """A key from everything that a unit's outcome depends on."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def still_holds(entry: JournalEntry, limits: Limits, retry_failures: bool) -> bool:
    """Whether an entry saves running the unit: a failure does, unless a re-run is asked for or its limit changed."""
    status = entry.outcome.status
    if status == "ok":
        return True
    same_limits = (entry.limit_seconds, entry.limit_bytes) == (limits.seconds, limits.memory_bytes)
    return not retry_failures and (status not in _LIMIT_KINDS or same_limits)
