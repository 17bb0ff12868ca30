"""What a network of an architecture holds: which tensors a zoo stores, and which it puts back itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from wslbench.architectures import Architecture

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Template:
    """The state of a freshly built network, split into what is stored and what is not.

    Attributes
    ----------
    stored
        Shape of every floating-point tensor, by name, in the order of the network's ``state_dict``.
    order
        All names, as ``state_dict`` orders them.
    """

    architecture: Architecture
    stored: dict[str, tuple[int, ...]]
    order: tuple[str, ...]

    @cached_property
    def rebuilt(self) -> dict[str, torch.Tensor]:
        """Every other tensor (counters such as ``num_batches_tracked``, index buffers), as freshly built.

        A counter of steps gives the batch size away, so these are never stored.
        """
        if len(self.order) == len(self.stored):
            return {}
        state = build(self.architecture).state_dict()
        return {name: tensor.clone() for name, tensor in state.items() if not tensor.is_floating_point()}


def build(architecture: Architecture) -> nn.Module:
    """A freshly built network; torch's global random state is left as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        return architecture.module()


def template(architecture: Architecture) -> Template:
    """The template of an architecture; built once and kept."""
    return _template(architecture.model_dump_json())


@lru_cache(maxsize=1024)
def _template(architecture_json: str) -> Template:
    import torch

    architecture = Architecture.model_validate_json(architecture_json)
    with torch.device("meta"):  # shapes without storage: a card may describe a network of any size
        state = architecture.module().state_dict()
    return Template(
        architecture=architecture,
        stored={name: tuple(tensor.shape) for name, tensor in state.items() if tensor.is_floating_point()},
        order=tuple(state),
    )
