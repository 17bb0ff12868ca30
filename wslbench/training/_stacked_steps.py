"""StackedSteps: what optimisers of stacked networks share, whatever their rule: gradients, clipping, one update."""

from __future__ import annotations

import torch
from torch import Tensor

from wslbench.training.stack import Tensors

_GATHERED = {"cpu": 2**14, "cuda": 2**22}
"""Tensors of at most so many elements are updated together, by device.

A stack of small networks spends its time on calling operations, not in them. On a processor only what stays
in its cache is worth the copying; a GPU is slower to call and faster to copy.
"""


class StackedSteps:
    """What the optimisers share: leaves, gradients, clipping, and tensors updated together as ``[size, width]``.

    Parameters
    ----------
    parameters
        Name to tensor ``[size, *shape]``; changed in place by every step.
    learning_rates, weight_decays
        ``[size]``, on the parameters' device. They are multiplied by schedule factors in their own dtype and
        only then take the parameters'.
    clip_norm
        Largest Euclidean norm of one network's whole gradient; a longer one is scaled down to it, as
        ``torch.nn.utils.clip_grad_norm_`` does. None: no limit.
    """

    def __init__(
        self, parameters: Tensors, learning_rates: Tensor, weight_decays: Tensor, clip_norm: float | None
    ) -> None:
        first = next(iter(parameters.values()))
        self.parameters = parameters
        self._learning_rates = learning_rates
        self._weight_decays = weight_decays.to(first.dtype)[:, None]
        self._clip_norm = clip_norm
        self._groups = _groups(parameters)
        self._state: dict[str, list[Tensor]] = {}

    def leaves(self) -> Tensors:
        for tensor in self.parameters.values():
            tensor.requires_grad_(True)
        return self.parameters

    def step(self, loss: Tensor, rate_factor: float, momentum: float | None = None) -> None:
        gradients = torch.autograd.grad(loss, list(self.parameters.values()))
        for tensor in self.parameters.values():
            tensor.requires_grad_(False)
        self.apply(dict(zip(self.parameters, gradients, strict=True)), rate_factor, momentum)

    @torch.no_grad()
    def apply(self, gradients: Tensors, rate_factor: float, momentum: float | None = None) -> None:
        clip = None if self._clip_norm is None else _clip_factors(gradients, self._clip_norm)
        self._begin_step()
        for number, names in enumerate(self._groups):
            self._apply_group(number, names, gradients, clip, rate_factor, momentum)

    def _apply_group(
        self,
        number: int,
        names: list[str],
        gradients: Tensors,
        clip: Tensor | None,
        rate_factor: float,
        momentum: float | None,
    ) -> None:
        # A function of its own, so that one group's temporary memory is free again before the next one's.
        tensors = [self.parameters[name] for name in names]
        parameters = _gather(tensors)
        gradient = _gather([gradients[name] for name in names])
        if clip is not None:
            gradient = gradient * clip
        rates = (self._learning_rates * rate_factor).to(parameters.dtype)[:, None]
        update = self._update(number, parameters, gradient, rates, momentum)
        for tensor, part in zip(tensors, _divide(update, tensors), strict=True):
            tensor.sub_(part)

    def state(self) -> Tensors:
        copies: Tensors = {}
        for quantity, flat in self._state.items():
            for names, gathered in zip(self._groups, flat, strict=True):
                parts = _divide(gathered, [self.parameters[name] for name in names])
                copies |= {f"{quantity}.{name}": part.clone() for name, part in zip(names, parts, strict=True)}
        return copies

    def load_state(self, state: Tensors) -> None:
        for quantity, flat in self._state.items():
            for names, gathered in zip(self._groups, flat, strict=True):
                gathered.copy_(_gather([state[f"{quantity}.{name}"] for name in names]))

    def _zeros(self) -> list[Tensor]:
        return [torch.zeros_like(_gather([self.parameters[name].detach() for name in g])) for g in self._groups]

    def _begin_step(self) -> None:
        """Called once a step, before any update."""

    def _update(
        self, number: int, parameters: Tensor, gradient: Tensor, rates: Tensor, momentum: float | None
    ) -> Tensor:
        """What to subtract from group ``number``; all tensors ``[size, width]``, ``rates [size, 1]``."""
        raise NotImplementedError


def _groups(parameters: Tensors) -> list[list[str]]:
    """Names of the tensors that are updated together: large ones alone, small ones up to four times the limit."""
    groups: list[list[str]] = []
    gathered: list[str] = []
    for name, tensor in parameters.items():
        limit = _GATHERED.get(tensor.device.type, 0)
        if tensor.numel() > limit:
            groups.append([name])
            continue
        if sum(parameters[other].numel() for other in gathered) + tensor.numel() > 4 * limit:
            groups.append(gathered)
            gathered = []
        gathered.append(name)
    return [*groups, gathered] if gathered else groups


def _gather(tensors: list[Tensor]) -> Tensor:
    """Tensors ``[size, *shape]`` as one ``[size, width]``; a single one is not copied."""
    rows = [tensor.reshape(tensor.shape[0], -1) for tensor in tensors]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)


def _divide(gathered: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    """The reverse of :func:`_gather`, as views, in the shapes of ``tensors``."""
    widths = [tensor[0].numel() for tensor in tensors]
    return [part.reshape(t.shape) for part, t in zip(torch.split(gathered, widths, dim=1), tensors, strict=True)]


def _clip_factors(gradients: Tensors, clip_norm: float) -> Tensor:
    """What each network's gradient is multiplied by ``[size, 1]``."""
    # A norm for each tensor first: sums over groups would depend on how many networks there are.
    norms = [torch.linalg.vector_norm(tensor.reshape(tensor.shape[0], -1), dim=1) for tensor in gradients.values()]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms, dim=1), dim=1, keepdim=True)
    return (clip_norm / (norm + 1e-6)).clamp(max=1.0)
