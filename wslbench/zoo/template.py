"""What a network of an architecture holds: which tensors a zoo stores, and which it puts back itself."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from wslbench.architectures import Architecture

if TYPE_CHECKING:
    import torch
    from torch import nn


class Template(NamedTuple):
    """The state of a freshly built network, split into what is stored and what is not.

    Attributes
    ----------
    stored
        Shape of every floating-point tensor, by name, in the order of the network's ``state_dict``.
    rebuilt
        Every other tensor (counters such as ``num_batches_tracked``, index buffers), as freshly built. A
        counter of steps gives the batch size away, so these are never stored.
    order
        All names, as ``state_dict`` orders them.
    """

    stored: dict[str, tuple[int, ...]]
    rebuilt: dict[str, torch.Tensor]
    order: tuple[str, ...]


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
    state = build(Architecture.model_validate_json(architecture_json)).state_dict()
    return Template(
        stored={name: tuple(tensor.shape) for name, tensor in state.items() if tensor.is_floating_point()},
        rebuilt={name: tensor.clone() for name, tensor in state.items() if not tensor.is_floating_point()},
        order=tuple(state),
    )
