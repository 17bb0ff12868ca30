"""What an evaluation was asked for: enough for any process that sees the same files to run its units."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wslbench.evaluation.execution import Settings
from wslbench.evaluation.journal import Journal
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import MethodFile
from wslbench.evaluation.method_info import Declared
from wslbench.evaluation.run import Run
from wslbench.evaluation.sandbox import sandbox_for
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.tier import Isolation
from wslbench.evaluation.unit import Disguise
from wslbench.tasks import Task, prepare, prepare_generation
from wslbench.zoo import load_zoo

if TYPE_CHECKING:
    from wslbench.zoo import Zoo


@dataclass(frozen=True)
class Assignment:
    """A method, and how its units are to be run. Can be pickled.

    Attributes
    ----------
    folder
        Of all results, absolute.
    subfolder
        Of the method's own folder in there, where the journal is.
    zoos
        Folders of zoos, by the names that tasks use, that do not stand where their names say.
    """

    method: MethodFile
    seeds: tuple[int, ...]
    settings: Settings
    isolation: Isolation
    folder: Path
    subfolder: str
    zoos: Mapping[str, Path]
    disguises: tuple[Disguise, ...] = ()

    @property
    def journal(self) -> Journal:
        """The journal of the finished units."""
        return Journal(self.folder / self.method.name / self.subfolder)

    def launcher(self, may_see_data: bool = False) -> Launcher:
        """Start what starts units; with ``may_see_data``, the data sets of libraries are to be seen in the sandbox."""
        sandbox = None
        if self.isolation.tier == "sandbox":
            answers = (self.folder, *self.zoos.values())
            sandbox = sandbox_for(self.method, self.settings.limits.memory_bytes, answers, may_see_data)
        fork = sys.platform == "linux" if self.settings.fork is None else self.settings.fork
        return Launcher(self.method.preload, fork, sandbox)

    @property
    def common(self) -> dict[str, Any]:
        """What the runs of all tasks share, as their arguments."""
        return {
            "seeds": self.seeds,
            "method": self.method,
            "limits": self.settings.limits,
            "device": self.settings.device,
            "isolation": self.isolation,
        }

    def run(self, task: Task, declared: Declared, zoos: tuple[Zoo, ...]) -> Run:
        """The units of a task on its zoos."""
        common = self.common
        if task.kind == "weight_generation":
            # Judging loads torch, which predictive evaluations do without.
            from wslbench.evaluation.generators.generation_run import GenerationRun
            from wslbench.evaluation.generators.networks_table import Track
            from wslbench.evaluation.generators.reference import Reference

            reference = Reference(prepare_generation(task, *zoos))
            track: Track = "with data" if declared.privilege == "data" else "weights only"
            return GenerationRun(reference=reference, track=track, **common)
        return TaskRun(problem=prepare(task, *zoos), zoos=zoos, disguises=self.disguises, **common)

    def open_zoos(self, task: Task) -> tuple[Zoo, ...]:
        """The zoos of a task."""
        return tuple(load_zoo(self.zoos.get(name, name)) for name in task.zoos)
