"""ModelStack: networks of one architecture as stacked tensors, and how to run them as one computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from wslbench.architectures import Architecture
from wslbench.errors import LandscapeError

Tensors = dict[str, Tensor]

IMAGES_PER_STEP = 2048
"""Inputs that one stacked pass takes at a time, over all its networks.

Where more activations are alive than a processor's cache holds, each costs up to twice as much. Passes in
smaller groups of networks give the same bits: no network sees another.
"""


def networks_per_pass(inputs_each: int) -> int:
    """How many networks a stacked pass takes at a time if each gets ``inputs_each`` inputs."""
    return max(1, IMAGES_PER_STEP // inputs_each)


@dataclass
class ModelStack:
    """``size`` networks of one architecture.

    Attributes
    ----------
    architecture
        What all of them are.
    parameters
        Name to trainable tensor ``[size, *shape]``.
    statistics
        Name to batch-norm statistics ``[size, channels]`` (running mean and variance; no counters).
    """

    architecture: Architecture
    parameters: Tensors
    statistics: Tensors

    @property
    def size(self) -> int:
        return next(iter(self.parameters.values())).shape[0]

    @property
    def device(self) -> torch.device:
        return next(iter(self.parameters.values())).device

    def to(self, device: torch.device) -> ModelStack:
        """The same networks on another device."""
        return ModelStack(
            self.architecture,
            {name: tensor.to(device) for name, tensor in self.parameters.items()},
            {name: tensor.to(device) for name, tensor in self.statistics.items()},
        )

    @classmethod
    def initialise(cls, architecture: Architecture, seeds: Sequence[int]) -> ModelStack:
        """One freshly initialised network a seed; each depends on its own seed only."""
        networks = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                networks.append(architecture.module())
        return cls.from_states(architecture, [network.state_dict() for network in networks])

    @classmethod
    def from_states(cls, architecture: Architecture, states: Sequence[Tensors]) -> ModelStack:
        """Stack state dicts of networks of ``architecture``."""
        return cls.from_tensors(architecture, {name: torch.stack([s[name] for s in states]) for name in states[0]})

    @classmethod
    def from_tensors(cls, architecture: Architecture, tensors: Tensors) -> ModelStack:
        """Divide stacked tensors into parameters and statistics, in state-dict order; integer counters are dropped."""
        module = architecture.module()
        parameter_names = {name for name, _ in module.named_parameters()}
        # Random vectors over parameters are drawn in this order; files have another, and are to be measured alike.
        places = {name: place for place, name in enumerate(module.state_dict())}
        names = sorted(tensors, key=lambda name: places.get(name, len(places)))
        kept = {name: tensors[name].detach().clone() for name in names if tensors[name].is_floating_point()}
        return cls(
            architecture,
            {name: tensor for name, tensor in kept.items() if name in parameter_names},
            {name: tensor for name, tensor in kept.items() if name not in parameter_names},
        )

    def select(self, rows: Sequence[int] | NDArray[np.int64] | Tensor) -> ModelStack:
        """The networks at ``rows``, copied."""
        index = torch.as_tensor(rows, device=self.device)
        return ModelStack(
            self.architecture,
            {name: tensor[index] for name, tensor in self.parameters.items()},
            {name: tensor[index] for name, tensor in self.statistics.items()},
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """All tensors as float32 arrays ``[size, *shape]``, in state-dict order."""
        order = [name for name in self.architecture.module().state_dict() if not name.endswith("num_batches_tracked")]
        both = self.parameters | self.statistics
        return {name: both[name].detach().cpu().numpy().astype(np.float32) for name in order}


def concatenate(stacks: Sequence[ModelStack]) -> ModelStack:
    """One stack of all networks of several stacks of the same architecture."""
    first = stacks[0]
    return ModelStack(
        first.architecture,
        {name: torch.cat([stack.parameters[name] for stack in stacks]) for name in first.parameters},
        {name: torch.cat([stack.statistics[name] for stack in stacks]) for name in first.statistics},
    )


def batch_norms(network: nn.Module) -> Iterable[_BatchNorm]:
    """Every batch-norm layer of a network."""
    return (module for module in network.modules() if isinstance(module, _BatchNorm))


def training_template(architecture: Architecture) -> nn.Module:
    """A module in training mode whose batch norm uses its batch.

    Running statistics are not tracked while training: what is stored is re-estimated afterwards anyway.
    """
    template = architecture.module().train()
    for layer in batch_norms(template):
        layer.track_running_stats = False
        layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return template


def evaluation_template(architecture: Architecture) -> nn.Module:
    """A module in evaluation mode, whose state is given to it by ``functional_call``."""
    template = architecture.module().eval()
    for layer in batch_norms(template):
        layer.num_batches_tracked = None
    return template


def evaluation_forward(architecture: Architecture, inputs_each: int) -> Callable[..., Tensor]:
    """Forward ``(parameters, statistics, inputs)`` of a whole stack in evaluation mode.

    Inputs ``[batch, ...]``, about ``inputs_each`` of them, are the same for every network.
    """
    template = evaluation_template(architecture)

    def forward_one(parameters: Tensors, statistics: Tensors, inputs: Tensor) -> Tensor:
        return functional_call(template, (parameters, statistics), (inputs,))  # type: ignore[no-any-return]

    return vmap(forward_one, in_dims=(0, 0, None), chunk_size=networks_per_pass(inputs_each))


def layer_input_forward(architecture: Architecture, layer: str, inputs_each: int) -> Callable[..., Tensor]:
    """As :func:`evaluation_forward`, but gives what goes into ``layer``, a module's dotted name."""
    template = evaluation_template(architecture)
    seen: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])

    template.get_submodule(layer).register_forward_pre_hook(keep)

    def forward_one(parameters: Tensors, statistics: Tensors, inputs: Tensor) -> Tensor:
        functional_call(template, (parameters, statistics), (inputs,))
        return seen.pop()

    return vmap(forward_one, in_dims=(0, 0, None), chunk_size=networks_per_pass(inputs_each))


def layer_output_forward(architecture: Architecture, layer: str | None, inputs_each: int) -> Callable[..., Tensor]:
    """As :func:`evaluation_forward`, but gives what comes out of ``layer``, a module's dotted name; None: of the whole.

    Raises
    ------
    LandscapeError
        If there is no such layer, or it puts out no tensor.
    """
    if layer is None:
        return evaluation_forward(architecture, inputs_each)
    template = evaluation_template(architecture)
    known = [name for name, _ in template.named_modules() if name]
    if layer not in known:
        raise LandscapeError(f"networks {architecture.builder!r} have no layer {layer!r}; they have {', '.join(known)}")
    seen: list[Tensor] = []
    template.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: seen.append(output))

    def forward_one(parameters: Tensors, statistics: Tensors, inputs: Tensor) -> Tensor:
        functional_call(template, (parameters, statistics), (inputs,))
        output = seen.pop()
        if seen or not isinstance(output, Tensor):
            raise LandscapeError(f"layer {layer!r} of networks {architecture.builder!r} does not put out one tensor")
        return output

    return vmap(forward_one, in_dims=(0, 0, None), chunk_size=networks_per_pass(inputs_each))


def read_out_name(architecture: Architecture) -> str:
    """The name of the last linear layer."""
    linear = [name for name, module in architecture.module().named_modules() if isinstance(module, nn.Linear)]
    return str(linear[-1])
