"""Augmentation of image batches, drawn for every model of a stack on its own."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import pad


class Augmentation(BaseModel):
    """Random shifts: with probability ``probability`` an image moves by up to ``shift`` pixels each way.

    Pixels that come in at the edge have the value of the background, ``fill``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: int = Field(default=0, ge=0)
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    fill: float = -1.0


class AugmentedImages:
    """The train images under every possible shift, looked up by index: fast, because shifts are few.

    Parameters
    ----------
    images
        ``[n, channels, height, width]``.
    augmentation
        What is drawn.
    """

    def __init__(self, images: Tensor, augmentation: Augmentation) -> None:
        self.augmentation = augmentation
        reach = augmentation.shift
        height, width = images.shape[-2:]
        padded = pad(images, (reach, reach, reach, reach), value=augmentation.fill)
        offsets = [(y, x) for y in range(2 * reach + 1) for x in range(2 * reach + 1)]
        self._shifted = torch.stack([padded[..., y : y + height, x : x + width] for y, x in offsets])
        self._still = offsets.index((reach, reach))

    def batch(self, index: NDArray[np.int64], generators: list[np.random.Generator]) -> Tensor:
        """Images ``[size, batch, channels, height, width]`` for image numbers ``index [size, batch]``.

        Row ``i`` draws from ``generators[i]`` alone.
        """
        if self.augmentation.shift == 0 or self.augmentation.probability == 0:
            return self._shifted[self._still][torch.from_numpy(index)]
        choices = len(self._shifted)
        draws = np.stack([generator.random((2, index.shape[1])) for generator in generators])
        shift = np.floor(draws[:, 0] * choices).astype(np.int64)
        shift = np.where(draws[:, 1] < self.augmentation.probability, shift, self._still)
        return self._shifted[torch.from_numpy(shift), torch.from_numpy(index)]
