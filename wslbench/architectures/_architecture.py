"""Architecture: a builder's name plus its arguments, and the module they describe."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from wslbench.errors import ArchitectureError, UnknownInputsError

if TYPE_CHECKING:
    from torch import Tensor, nn

# builder name -> "module:what to call". Imported on first use, because torch takes seconds.
BUILDERS: dict[str, str] = {
    "cnn": "wslbench.architectures.cnn:CNN",
    "cnn_modelzoo": "wslbench.architectures.cnn_modelzoo:ModelZooCNN",
    "gpt": "wslbench.architectures.gpt:GPT",
    "mlp": "wslbench.architectures.mlp:MLP",
    "resnet18": "wslbench.architectures.resnet:resnet18",
    "resnet50": "wslbench.architectures.resnet:resnet50",
    "vit": "wslbench.architectures.vit:ViT",
}

TENSORS = "tensors"
"""The builder of networks that nobody described: their tensors by name, and no function."""


class Architecture(BaseModel):
    """A builder's name and arguments, as zoo cards store them.

    Attributes
    ----------
    builder
        A key of :data:`BUILDERS`, or :data:`TENSORS`.
    arguments
        Keyword arguments of the builder: integers, floats, strings, booleans, or lists of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    builder: str
    arguments: dict[str, int | float | str | bool | list[int]] = {}

    def module(self) -> nn.Module:
        """Build a freshly initialised network, with torch's global random state.

        Raises
        ------
        ArchitectureError
            If the builder is unknown or does not take these arguments.
        """
        places = {**BUILDERS, TENSORS: "wslbench.architectures.tensors:Tensors"}
        if self.builder not in places:
            known = ", ".join(sorted(BUILDERS))
            raise ArchitectureError(f"unknown architecture {self.builder!r}: this wslbench builds {known}")
        module_name, builder_name = places[self.builder].split(":")
        builder = getattr(importlib.import_module(module_name), builder_name)
        try:
            network: nn.Module = builder(**self.arguments)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # the last two: sizes beyond torch
            raise ArchitectureError(
                f"architecture {self.builder!r} cannot be built: {str(error).partition(chr(10))[0]}"
            ) from error
        return network

    def example_input(self, batch: int = 2) -> Tensor:
        """Random inputs of a shape that the network takes, always the same ones.

        Parameters
        ----------
        batch
            Number of inputs.

        Returns
        -------
        Tensor
            ``[batch, ...]``: normal float32 numbers, or int64 tokens over the full context of a language model.

        Raises
        ------
        ArchitectureError
            If the builder is unknown or does not take these arguments; :class:`~wslbench.errors.UnknownInputsError`
            if its networks do not say which inputs they take.
        """
        import torch

        with torch.device("meta"):
            network: Any = self.module()
        if not hasattr(network, "example_shape"):
            raise UnknownInputsError(f"{self.builder} networks do not say which inputs they take (example_shape)")
        generator = torch.Generator().manual_seed(0)
        shape = (batch, *network.example_shape)
        if hasattr(network, "vocabulary"):
            return torch.randint(0, network.vocabulary, shape, generator=generator)
        return torch.randn(shape, generator=generator)

    def parameters(self) -> int:
        """Number of trainable parameters, counted on a network without storage: no size is too large.

        Raises
        ------
        ArchitectureError
            If the builder is unknown or does not take these arguments.
        """
        import torch

        with torch.device("meta"):
            return sum(parameter.numel() for parameter in self.module().parameters())
