"""Everything that is measured of a draw: one judge a target phase, which knows the networks that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from wslbench.annotation.options import options_of
from wslbench.errors import LandscapeError
from wslbench.generation.functional import Originality, originality
from wslbench.generation.phase_of_draw import PhaseOfDraw, phase_of_draw
from wslbench.generation.quality import Quality, predicted_classes, quality
from wslbench.generation.weight_distance import weight_distance
from wslbench.training import Classification, ModelStack, seed_from
from wslbench.zoo import Zoo

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Tensors = dict[str, npt.NDArray[np.float32]]

VERSION: Final = "1"  # raised whenever the same draw would be judged otherwise


class Judged(NamedTuple):
    """What was measured of a draw.

    Attributes
    ----------
    weight_distance
        ``[n]``: from the functionally nearest train network, symmetries folded out.
    phase
        None where it was not asked for.
    """

    quality: Quality
    weight_distance: FloatArray
    phase: PhaseOfDraw | None


class Judge:
    """Judges draws that were asked for one phase of a zoo.

    Parameters
    ----------
    zoo
        Of classifiers whose data set its card names.
    train, held_out
        Models that generators learn from, and held-out ones of the target phase; all of one architecture.

    Raises
    ------
    LandscapeError
        If the card does not say what the networks were trained on, or has no frozen cut-offs, or the zoo is not one of
        classifiers.
    """

    def __init__(self, zoo: Zoo, train: Sequence[str], held_out: Sequence[str]) -> None:
        options = options_of(zoo)
        if options.cutoffs is None:
            raise LandscapeError(f"the card of zoo {zoo.name!r} has no frozen `cutoffs` to tell a draw's phase by")
        self._zoo, self._train, self._held_out = zoo, list(train), list(held_out)
        self._curve, self._cutoffs = options.curve, options.cutoffs
        (stack,) = zoo.models(self._held_out).by_architecture()
        self.architecture = stack.architecture
        objective = options.training_data(zoo.name).objective(self.architecture)
        if not isinstance(objective, Classification):
            raise LandscapeError(f"the networks of zoo {zoo.name!r} are no classifiers, which generators are judged by")
        self._objective = objective

    @property
    def labels(self) -> IntArray:
        """``[samples]`` true classes of the held-out samples."""
        return np.asarray(self._objective.test_labels.cpu().numpy(), np.int64)

    @cached_property
    def train_classes(self) -> IntArray:
        """``[train, samples]``: what the train networks predict for the held-out samples."""
        return predicted_classes(self._stack_of(self._train), self._objective)

    @cached_property
    def held_out_classes(self) -> IntArray:
        """``[held out, samples]``."""
        return predicted_classes(self._stack_of(self._held_out), self._objective)

    def originality(self, classes: IntArray) -> Originality:
        """Novelty and diversity of networks that predict these classes ``[n, samples]``."""
        return originality(classes, self.train_classes, self.held_out_classes)

    def tensors_of(self, ids: Sequence[str]) -> Tensors:
        """``[n, *shape]`` weights of models of the zoo, in this order."""
        (stack,) = self._zoo.models(ids).by_architecture()
        order = np.argsort(stack.positions)
        return {name: stack[name][order] for name in stack.keys()}  # noqa: SIM118 - a Stack is no mapping

    def initialised(self, name: str, count: int) -> Tensors:
        """Networks that nothing was learnt by: freshly initialised ones."""
        seeds = [seed_from(name, "initialisation", number) for number in range(count)]
        return ModelStack.initialise(self.architecture, seeds).arrays()

    def judge(
        self,
        tensors: Mapping[str, npt.NDArray[np.float32]],
        name: str,
        with_phase: bool = True,
        look_up: Callable[[], None] = lambda: None,
    ) -> Judged:
        """Judge a draw.

        Parameters
        ----------
        tensors
            ``[n, *shape]`` by name, as the zoo's stacks have them, of finite numbers.
        name
            What the orders of data, pairs and curves are drawn from.
        with_phase
            Whether to measure order parameters as well, which takes longest.
        look_up
            Called every few seconds meanwhile; what it raises ends the work.
        """
        drawn = self._stack(tensors)

        def progress(share: float) -> None:
            look_up()

        found = quality(drawn, self._objective, name, progress)
        nearest = self.originality(found.classes).nearest
        distance = weight_distance(drawn, self._stack_of([self._train[row] for row in nearest]))
        if not with_phase:
            return Judged(found, distance, None)
        phase = phase_of_draw(drawn, self._objective, self._curve, self._cutoffs, name, progress)
        return Judged(found, distance, phase)

    def _stack_of(self, ids: Sequence[str]) -> ModelStack:
        return self._stack(self.tensors_of(ids))

    def _stack(self, tensors: Mapping[str, npt.NDArray[np.float32]]) -> ModelStack:
        return ModelStack.from_tensors(
            self.architecture, {name: torch.tensor(value) for name, value in tensors.items()}
        )
