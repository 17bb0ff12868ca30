"""The three kinds of data set: labelled images, text as tokens, and the points of a differential equation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DataArgument = int | float | str | bool | tuple[float, ...]
"""What the loader of a data set may be told under one name."""


# eq=False: two data sets are the same only if they are one object; arrays have no single answer to ==.
@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification data set in memory.

    Attributes
    ----------
    name
        Its key in :data:`DATASETS`.
    train_inputs, test_inputs
        ``[n, channels, height, width]``: float32, ready for a network, or uint8 pixels, 0 to 255, to be divided
        by 255 and normalised with ``mean`` and ``std`` when a batch is drawn.
    train_labels, test_labels
        int64 ``[n]``, from 0 to ``classes - 1``.
    classes
        Number of classes.
    mean, std
        A number a channel, on the 0 to 1 scale of the pixels; None where the inputs are float32.
    """

    name: str
    train_inputs: NDArray[np.float32] | NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_inputs: NDArray[np.float32] | NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: int
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class TextDataset:
    """Text as one row of tokens a part.

    Attributes
    ----------
    name
        Its key in :data:`DATASETS`.
    train_tokens, test_tokens
        ``[n]``, from 0 to ``vocabulary - 1``: uint16, or uint32 where the vocabulary needs it.
    vocabulary
        Number of tokens that there are.
    """

    name: str
    train_tokens: NDArray[np.uint16] | NDArray[np.uint32]
    test_tokens: NDArray[np.uint16] | NDArray[np.uint32]
    vocabulary: int


@dataclass(frozen=True, eq=False)
class ConvectionDataset:
    """Points at which a network is held to the 1-D convection equation u_t + βu_x = 0.

    x runs from 0 to 2π and is periodic, t from 0 to 1, and u(x, 0) = sin x. β is not part of the data: one set
    of points serves every β. All arrays are float32.

    Attributes
    ----------
    name
        Its key in :data:`DATASETS`.
    interior
        ``[n, 2]``: x and t of the collocation points, where the equation's residual is taken.
    initial
        ``[m]``: x of the points at t = 0, where u is known.
    boundary
        ``[k]``: t of the points at which u(0, t) = u(2π, t).
    grid
        ``[g, 2]``: x and t of the held-out points, where the error is measured; t runs fastest.
    """

    name: str
    interior: NDArray[np.float32]
    initial: NDArray[np.float32]
    boundary: NDArray[np.float32]
    grid: NDArray[np.float32]

    @staticmethod
    def solution(points: Any, beta: Any) -> Any:
        """The analytic solution sin(x − βt), in the kind (numpy or torch) and precision of what is given.

        Parameters
        ----------
        points
            ``[..., n, 2]``: x and t.
        beta
            A number, or an array that broadcasts against ``[..., n]``: ``[size, 1]`` gives ``[size, n]``.
        """
        phase = points[..., 0] - beta * points[..., 1]
        # numpy arrays have no method .sin(); torch tensors, which this package does not import, do.
        return np.sin(phase) if isinstance(phase, np.ndarray | np.generic) else phase.sin()


AnyDataset = Dataset | TextDataset | ConvectionDataset
