"""What a method looks like and what it is told: protocols for type checkers, nothing to inherit.

Importing this module loads neither pandas nor torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import torch

    from wslbench.zoo.models import Models

TaskKind = Literal["phase_classification", "accuracy_prediction", "weight_generation"]


@dataclass(frozen=True)
class TaskInfo:
    """What a method may know about the task.

    Attributes
    ----------
    id
        The task's id, such as ``digits-cnn.phase``.
    kind
        The family that the task belongs to.
    target
        What is predicted, such as ``phase`` or ``test-accuracy``.
    """

    id: str
    kind: TaskKind
    target: str


@dataclass(frozen=True, eq=False)
class Context:
    """Everything that a method is told besides models and targets.

    Attributes
    ----------
    task
        The task that is being evaluated.
    classes
        Class names in the order of the columns that ``predict`` returns; empty for regression.
    groups
        ``[models]`` integers: models with the same number come from the same cell and must not be torn
        apart by an inner validation. The numbers are random and mean nothing else.
    seed
        Seed for whatever the method draws at random.
    device
        A torch device name, such as ``cpu``.
    deadline
        The moment at which the method is stopped, in seconds of :func:`time.monotonic`.
    hyperparameters
        ``load`` and ``temperature`` of the train models, for methods that declare the privilege; else None.
    target_phase
        The phase that ``generate`` is asked for; None in predictive tasks.
    """

    task: TaskInfo
    classes: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    seed: int
    device: str
    deadline: float
    hyperparameters: pd.DataFrame | None = None
    target_phase: str | None = None


@runtime_checkable
class Method(Protocol):
    """A predictive method.

    Two optional attributes and one optional method are understood as well: ``privilege`` (``"none"``,
    ``"train_hyperparameters"`` or ``"hyperparameters"``), ``parameters`` (how many numbers were fitted), and
    ``supports(architecture) -> str | None``, which returns why an architecture cannot be handled.
    """

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> object:
        """Learn from models and their targets: phases as strings, or float64, one a model."""
        ...

    def predict(self, models: Models) -> npt.NDArray[np.floating[Any]]:
        """Predict: ``[n, len(context.classes)]`` probabilities, or ``[n]`` values.

        Called with a few models at a time, in random order: a prediction depends on its model alone.
        """
        ...


@runtime_checkable
class Generator(Protocol):
    """A method that writes weights of new networks.

    It never sees the data that the networks were trained on, unless it declares the track *with data* by the class
    attribute ``privilege = "data"``. ``parameters`` and ``supports`` are understood as of a :class:`Method`.
    """

    def fit(self, models: Models, phases: npt.NDArray[np.object_], context: Context) -> object:
        """Learn from models and the phases of their cells."""
        ...

    def generate(
        self, count: int, context: Context
    ) -> Sequence[Mapping[str, torch.Tensor]] | Mapping[str, torch.Tensor]:
        """``count`` state dicts of networks in ``context.target_phase``, or one dict of ``[count, *shape]`` stacks."""
        ...
