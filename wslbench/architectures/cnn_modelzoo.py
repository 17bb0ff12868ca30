"""The small convolutional networks of the Model Zoo Dataset (Schürholt et al. 2022, arXiv 2209.14764)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from wslbench.architectures._activations import activation_layer
from wslbench.architectures._checks import one_of, positive, within


class _Convolution(NamedTuple):
    channels: int
    kernel: int
    pooled: bool  # halved by a max-pool, and followed by dropout in networks that have any


_CONVOLUTIONS = {
    28: (_Convolution(8, 5, True), _Convolution(6, 5, True), _Convolution(4, 2, False)),
    32: (_Convolution(16, 3, True), _Convolution(32, 3, True), _Convolution(15, 3, True)),
}
_HIDDEN = 20


class ModelZooCNN(nn.Module):
    """Three convolutions and two linear layers, in one list whose positions name the parameters.

    ======  =========================================  =================  ===============  ===============
    images  convolutions                               linear             names            with dropout
    ======  =========================================  =================  ===============  ===============
    28×28   8 of 5×5, pool; 6 of 5×5, pool; 4 of 2×2   36 → 20 → classes  0, 3, 6, 9, 11   0, 4, 8, 11, 14
    32×32   16, 32 and 15 of 3×3, each with a pool     60 → 20 → classes  0, 3, 6, 10, 12  0, 4, 8, 13, 16
    ======  =========================================  =================  ===============  ===============

    Pools are 2×2. An activation follows each pool, or its layer where there is no pool; dropout follows the
    activations of pooled convolutions and of the first linear layer.

    Parameters
    ----------
    image_size
        28 (MNIST, Fashion-MNIST, SVHN and USPS, and CIFAR-10 and STL-10 scaled down) or 32 (CIFAR-10, STL-10).
    in_channels
        1 for grey images, 3 for colour.
    classes
        Number of logits.
    activation
        ``tanh``, ``relu``, ``gelu``, ``sigmoid``, ``leakyrelu`` or ``silu``.
    dropout
        Share of activations dropped. Left out, there are no dropout layers; 0 gives layers that drop nothing. The
        difference is in the parameter names: published 32×32 checkpoints always have the layers, 28×28 ones only
        where the share is above 0.
    """

    def __init__(
        self,
        image_size: int,
        in_channels: int = 1,
        classes: int = 10,
        activation: str = "tanh",
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        one_of("image_size", image_size, _CONVOLUTIONS)
        positive(in_channels=in_channels, classes=classes)
        if dropout is not None:
            within("dropout", dropout, 0, 1)
        dropped = [] if dropout is None else [dropout]
        layers: list[nn.Module] = []
        channels, size = in_channels, image_size
        for convolution in _CONVOLUTIONS[image_size]:
            layers.append(nn.Conv2d(channels, convolution.channels, convolution.kernel))
            channels, size = convolution.channels, size - convolution.kernel + 1
            if convolution.pooled:
                layers.append(nn.MaxPool2d(2))
                size //= 2
            layers.append(activation_layer(activation))
            if convolution.pooled:
                layers.extend(nn.Dropout(share) for share in dropped)
        layers += [nn.Flatten(), nn.Linear(channels * size**2, _HIDDEN), activation_layer(activation)]
        layers.extend(nn.Dropout(share) for share in dropped)
        layers.append(nn.Linear(_HIDDEN, classes))
        self.module_list = nn.ModuleList(layers)
        self.example_shape = (in_channels, image_size, image_size)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, classes]`` of images ``[n, in_channels, image_size, image_size]``."""
        features = images
        for layer in self.module_list:
            features = layer(features)
        return features
