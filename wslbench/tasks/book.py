"""Tasks by id and suites by name, as ``tasks.yaml`` declares them."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

from wslbench.bundled import bundled_path
from wslbench.errors import UnknownTaskError
from wslbench.tasks.file_check import read_tasks_file
from wslbench.tasks.schema import TaskEntry, TaskKind
from wslbench.tasks.transforms import TransformName
from wslbench.zoo.protocols import NEW_ZOO

HEADLINES: Mapping[TaskKind, str] = MappingProxyType(
    {"phase_classification": "balanced_accuracy", "accuracy_prediction": "kendall_tau", "weight_generation": "lift"}
)

_WORDING = {"label", "description"}


@dataclass(frozen=True)
class Task:
    """A zoo, a target in it, and the protocol that splits it.

    Attributes
    ----------
    column, minus
        The target is ``column`` of the zoo's table, less ``minus`` where one is given.
    transform
        Scale on which methods are fitted and scored.
    tested_on
        The zoo whose models are tested, under ``new-zoo``.
    phase
        What a generator is asked for; None in predictive tasks.
    headline
        The metric that ranks methods and that the lift is taken in.
    """

    id: str
    zoo: str
    kind: TaskKind
    target: str
    column: str
    minus: str | None
    transform: TransformName
    protocol: str
    headline: str
    version: int
    label: str
    description: str
    tested_on: str | None = None
    phase: str | None = None

    @property
    def zoos(self) -> tuple[str, ...]:
        """The zoos that it needs: the one that is trained on, then the one that is tested where that is another."""
        return (self.zoo,) if self.tested_on is None else (self.zoo, self.tested_on)

    @property
    def hash(self) -> str:
        """SHA-256 of everything that a result depends on; rewording the label leaves it alone."""
        content = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _WORDING}
        for name in ("tested_on", "phase"):
            if content[name] is None:
                del content[name]  # results from before there was the field stay current
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class TaskBook:
    """Every task and suite of one task file, in its order."""

    tasks: Mapping[str, Task]
    suites: Mapping[str, tuple[str, ...]]

    def select(self, task: str | Iterable[str] | None = None, suite: str | None = None) -> list[Task]:
        """The tasks of those ids and of that suite, each once; all tasks where neither is given.

        Raises
        ------
        UnknownTaskError
            If there is no such task or suite; the message names the nearest ones.
        """
        if task is None and suite is None:
            return list(self.tasks.values())
        ids = [task] if isinstance(task, str) else list(task or ())
        if suite is not None:
            ids += self._members(suite)
        return [self[task_id] for task_id in dict.fromkeys(ids)]

    def __getitem__(self, task_id: str) -> Task:
        if task_id not in self.tasks:
            raise UnknownTaskError(f"There is no task {task_id!r}{_nearest(task_id, list(self.tasks))}")
        return self.tasks[task_id]

    def _members(self, suite: str) -> tuple[str, ...]:
        if suite not in self.suites:
            raise UnknownTaskError(f"There is no suite {suite!r}; the suites are: {', '.join(self.suites)}.")
        return self.suites[suite]


def load_tasks(path: Path | str | None = None) -> TaskBook:
    """The tasks that ship with wslbench, or those of another task file.

    Raises
    ------
    TaskError
        With line and field of every problem in the file.
    """
    file = read_tasks_file(bundled_path("tasks.yaml") if path is None else Path(path))
    tasks: dict[str, Task] = {}
    for entry in file.tasks:
        for protocol in entry.protocols:
            task = task_of(entry, protocol, file.default_protocol)
            tasks[task.id] = task
    return TaskBook(tasks=tasks, suites={name: tuple(members) for name, members in file.suites.items()})


def task_of(entry: TaskEntry, protocol: str, default_protocol: str) -> Task:
    """The task that an entry of a task file gives under one of its protocols."""
    return Task(
        id=entry.id_under(protocol, default_protocol),
        zoo=entry.zoo,
        kind=entry.kind,
        target=entry.target,
        column=entry.column,
        minus=entry.minus,
        transform=entry.transform,
        protocol=protocol,
        headline=HEADLINES[entry.kind],
        version=entry.version,
        label=entry.label,
        description=entry.description or entry.label,
        tested_on=entry.tested_on if protocol == NEW_ZOO else None,
        phase=entry.phase,
    )


def _nearest(task_id: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(task_id, known, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(repr(name) for name in near)}?"
    return "; `wslbench tasks list` shows them all."
