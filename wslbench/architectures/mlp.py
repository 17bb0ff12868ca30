"""Multi-layer perceptrons: tanh for physics-informed networks, other activations for classifiers."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from wslbench.architectures._activations import activation_layer
from wslbench.architectures._checks import depth_within_reason, one_of, positive


class MLP(nn.Module):
    """Linear layers with an activation after each but the last.

    Parameters
    ----------
    in_features
        Coordinates of a point, or pixels of an image times its channels.
    hidden
        Widths of the hidden layers, at least one.
    out_features
        Number of outputs.
    activation
        ``tanh``, ``relu``, ``gelu``, ``sigmoid``, ``leakyrelu`` or ``silu``.
    initialisation
        ``torch``: as ``nn.Linear`` does it. ``xavier``: normal weights of variance 2 / (fan in + fan out), zero
        biases (Glorot & Bengio 2010), as is usual for PINNs.
    """

    def __init__(
        self,
        in_features: int,
        hidden: list[int],
        out_features: int,
        activation: str = "tanh",
        initialisation: str = "torch",
    ) -> None:
        super().__init__()
        if not isinstance(hidden, list) or not hidden:
            raise ValueError(f"hidden must list the width of at least one hidden layer, not {hidden!r}")
        depth_within_reason(hidden=len(hidden))
        positive(
            in_features=in_features,
            out_features=out_features,
            **{f"hidden[{position}]": width for position, width in enumerate(hidden)},
        )
        one_of("initialisation", initialisation, ["torch", "xavier"])
        sizes = [in_features, *hidden, out_features]
        layers = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
        self.activation = activation_layer(activation)
        if initialisation == "xavier":
            for layer in layers:
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList(layers)
        self.example_shape = (in_features,)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs ``[n, out_features]`` of inputs ``[n, ...]`` with ``in_features`` numbers each."""
        features = inputs.flatten(1)
        for layer in self.layers[:-1]:
            features = self.activation(layer(features))
        outputs: Tensor = self.layers[-1](features)
        return outputs
