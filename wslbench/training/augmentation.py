"""Augmentation of image batches, drawn for every model of a stack on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import grid_sample, pad


class Augmentation(BaseModel):
    """Random shift, crop, flip and rotation, in this order; each is drawn anew for every image.

    Pixels that come in from outside have the value of the background.

    Attributes
    ----------
    shift, probability
        With ``probability`` an image moves by up to ``shift`` pixels each way; every shift is as likely.
    crop_padding
        Crop to the image's own size after padding by so many pixels.
    flip
        Mirror left and right with probability one half.
    rotation
        Turn about the centre by an angle drawn uniformly between plus and minus so many degrees.
    interpolation
        Of the rotation.
    fill
        The background of images that are ready for the network. Images of bytes have black, 0, before they are
        normalised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: int = Field(default=0, ge=0)
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    crop_padding: int = Field(default=0, ge=0)
    flip: bool = False
    rotation: float = Field(default=0.0, ge=0.0, le=180.0)
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    fill: float = -1.0


class AugmentedImages:
    """Images that come in batches, augmented or clean.

    Parameters
    ----------
    images
        ``[n, channels, height, width]``: floating point and ready for a network, or uint8. Bytes stay bytes, a
        quarter of the memory, until a batch is drawn; it is divided by 255 and normalised.
    augmentation
        What is drawn.
    mean, std
        A number a channel, on the scale from 0 to 1, for uint8 images: a batch is ``(x - mean) / std``.
    """

    def __init__(
        self,
        images: Tensor,
        augmentation: Augmentation,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        self.augmentation = augmentation
        self._images = images
        self._bytes = images.dtype == torch.uint8
        self._fill = 0.0 if self._bytes else augmentation.fill
        self._mean = None if mean is None else torch.tensor(mean, device=images.device)[:, None, None]
        self._std = None if std is None else torch.tensor(std, device=images.device)[:, None, None]

    def batch(self, index: NDArray[np.int64], generators: list[np.random.Generator]) -> Tensor:
        """Images ``[size, batch, channels, height, width]`` for image numbers ``index [size, batch]``.

        Row ``i`` draws from ``generators[i]`` alone, and nothing where nothing is random.
        """
        settings = self.augmentation
        images = self._images[self._moved(index.reshape(-1))]
        if settings.shift and settings.probability:
            images = self._windows(images, settings.shift, self._drawn_shifts(index.shape[1], generators))
        if settings.crop_padding:
            draws = _draw((2, index.shape[1]), generators)
            corners = np.floor(draws * (2 * settings.crop_padding + 1)).astype(np.int64)
            images = self._windows(images, settings.crop_padding, corners)
        if settings.flip:
            chosen = self._moved(_draw((1, index.shape[1]), generators)[0] < 0.5)
            images = torch.where(chosen[:, None, None, None], images.flip(-1), images)
        if settings.rotation:
            angles = settings.rotation * (2 * _draw((1, index.shape[1]), generators)[0] - 1)
            images = _rotated(self._as_float(images), self._moved(angles), self._fill, settings.interpolation)
        return self._normalised(images).reshape(*index.shape, *self._images.shape[1:])

    def clean(self, rows: slice | NDArray[np.int64]) -> Tensor:
        """Images ``[n, channels, height, width]`` as they are, ready for a network."""
        return self._normalised(self._images[rows if isinstance(rows, slice) else self._moved(rows)])

    def _drawn_shifts(self, batch: int, generators: list[np.random.Generator]) -> NDArray[np.int64]:
        """Upper left corner ``[2, size * batch]`` of each image's window after padding by ``shift``."""
        reach = self.augmentation.shift
        places, moves = _draw((2, batch), generators)
        place = np.floor(places * (2 * reach + 1) ** 2).astype(np.int64)
        corners = np.stack(np.divmod(place, 2 * reach + 1))
        return np.where(moves < self.augmentation.probability, corners, reach)

    def _windows(self, images: Tensor, padding: int, corners: NDArray[np.int64]) -> Tensor:
        """Each image's own window of its size, out of its padded self."""
        height, width = images.shape[-2:]
        padded = pad(images, (padding,) * 4, value=self._fill)
        # A view: no window is copied before it is chosen.
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        number = torch.arange(len(images), device=images.device)
        return windows[number, :, self._moved(corners[0]), self._moved(corners[1])]

    def _as_float(self, images: Tensor) -> Tensor:
        return images.float().div_(255) if images.dtype == torch.uint8 else images

    def _normalised(self, images: Tensor) -> Tensor:
        if not self._bytes:
            return images
        images = self._as_float(images)
        if self._mean is not None:
            images = images.sub_(self._mean)
        return images if self._std is None else images.div_(self._std)

    def _moved(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self._images.device)


def _draw(shape: tuple[int, int], generators: list[np.random.Generator]) -> NDArray[np.float64]:
    """Uniform numbers ``[quantities, size * batch]`` for ``shape`` quantities and batch, a block a generator."""
    return np.concatenate([generator.random(shape) for generator in generators], axis=1)


def _rotated(images: Tensor, degrees: Tensor, fill: float, interpolation: str) -> Tensor:
    """Images ``[n, channels, height, width]`` turned counter-clockwise about their centres by ``degrees [n]``.

    As torchvision's ``RandomRotation`` without ``expand``.
    """
    height, width = images.shape[-2:]
    angle = torch.deg2rad(degrees)[:, None, None]
    # In float64: where a nearest pixel lies must not hang on the rounding of a kernel that sees the whole batch.
    y = torch.arange(height, device=images.device, dtype=torch.float64)[:, None] - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=torch.float64)[None] - (width - 1) / 2
    source_x = (torch.cos(angle) * x - torch.sin(angle) * y) * (2 / width)
    source_y = (torch.sin(angle) * x + torch.cos(angle) * y) * (2 / height)
    grid = torch.stack([source_x, source_y], dim=-1).to(images.dtype)
    # grid_sample knows no background but 0.
    turned = grid_sample(images - fill if fill else images, grid, mode=interpolation, align_corners=False)
    return turned + fill if fill else turned
