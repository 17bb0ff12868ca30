"""Optimisers on stacked tensors: SGD and Adam(W) with a learning rate and a weight decay for each network."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from wslbench.training._stacked_steps import StackedSteps
from wslbench.training.stack import Tensors


class StackedOptimiser(Protocol):
    """What the training loop asks of an optimiser: one step down the gradient for every network of a stack.

    The gradient of the *sum* of the networks' losses is each network's own gradient: none sees another.
    """

    parameters: Tensors

    def leaves(self) -> Tensors:
        """The parameters as leaves of a new graph."""
        ...

    def step(self, loss: Tensor, rate_factor: float, momentum: float | None = None) -> None:
        """One step down the gradient of ``loss``, at ``rate_factor`` times the learning rates.

        Parameters
        ----------
        loss
            The sum of the networks' losses, a scalar, computed from :meth:`leaves`.
        momentum
            Takes the place of the optimiser's own in this step (Adam: of its first beta).
        """
        ...

    def apply(self, gradients: Tensors, rate_factor: float, momentum: float | None = None) -> None:
        """One step with gradients ``[size, *shape]`` that were computed elsewhere; they are left as they are."""
        ...

    def state(self) -> Tensors:
        """Copies of all that a step needs besides the parameters, to go on later with the same bits."""
        ...

    def load_state(self, state: Tensors) -> None:
        """Take over what :meth:`state` gave."""
        ...


class StackedSGD(StackedSteps):
    """SGD with momentum and weight decay as ``torch.optim.SGD``'s: the decay is added to the gradient.

    Parameters
    ----------
    parameters, learning_rates, weight_decays, clip_norm
        As for every stacked optimiser: name to ``[size, *shape]``, ``[size]``, ``[size]``, one number or None.
    nesterov
        Step along the gradient plus ``momentum`` times the velocity.
    """

    def __init__(
        self,
        parameters: Tensors,
        learning_rates: Tensor,
        weight_decays: Tensor,
        momentum: float,
        nesterov: bool = False,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, learning_rates, weight_decays, clip_norm)
        self._momentum = momentum
        self._nesterov = nesterov
        self._state = {"velocity": self._zeros()}

    def _update(
        self, number: int, parameters: Tensor, gradient: Tensor, rates: Tensor, momentum: float | None
    ) -> Tensor:
        momentum = self._momentum if momentum is None else momentum
        velocity = self._state["velocity"][number].mul_(momentum).add_(gradient)
        velocity.addcmul_(parameters, self._weight_decays)
        if not self._nesterov:
            return velocity * rates
        decayed = torch.addcmul(gradient, parameters, self._weight_decays)
        return decayed.add_(velocity, alpha=momentum).mul_(rates)


class StackedAdam(StackedSteps):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980), or AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101).

    Parameters
    ----------
    parameters, learning_rates, weight_decays, clip_norm
        As for every stacked optimiser: name to ``[size, *shape]``, ``[size]``, ``[size]``, one number or None.
    betas, epsilon
        As ``torch.optim.Adam``'s.
    decoupled
        AdamW: weights decay by themselves, at the learning rate. False: the decay is added to the gradient.
    """

    def __init__(
        self,
        parameters: Tensors,
        learning_rates: Tensor,
        weight_decays: Tensor,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        *,
        decoupled: bool,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, learning_rates, weight_decays, clip_norm)
        self._betas = betas
        self._epsilon = epsilon
        self._decoupled = decoupled
        self._steps = 0
        self._state = {"mean": self._zeros(), "square": self._zeros()}

    def state(self) -> Tensors:
        return super().state() | {"steps": torch.tensor(self._steps)}

    def load_state(self, state: Tensors) -> None:
        super().load_state(state)
        self._steps = int(state["steps"])

    def _begin_step(self) -> None:
        self._steps += 1

    def _update(
        self, number: int, parameters: Tensor, gradient: Tensor, rates: Tensor, momentum: float | None
    ) -> Tensor:
        first, second = self._betas if momentum is None else (momentum, self._betas[1])
        if not self._decoupled:
            gradient = torch.addcmul(gradient, parameters, self._weight_decays)
        mean = self._state["mean"][number].lerp_(gradient, 1.0 - first)
        square = self._state["square"][number].mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
        # As torch has it: both bias corrections use this step's betas, also where the first is cycled.
        scale = square.sqrt().div_((1.0 - second**self._steps) ** 0.5).add_(self._epsilon)
        update = torch.div(mean, scale, out=scale).mul_(rates / (1.0 - first**self._steps))
        return update.addcmul_(parameters, self._weight_decays * rates) if self._decoupled else update
