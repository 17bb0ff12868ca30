"""Scales on which targets are fitted and scored, each with its way back to the natural scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from wslbench.errors import TaskError

TransformName = Literal["identity", "logit", "log10", "asinh"]
FloatArray = npt.NDArray[np.float64]

TRANSFORM_NAMES: tuple[TransformName, ...] = get_args(TransformName)

_LARGEST = 1e100  # a finite prediction stays finite on the way back, and so does its squared error


@dataclass(frozen=True)
class Transform:
    """A monotone map from the natural scale to the fitted one, and back."""

    name: TransformName | Literal["standardised"]
    forward: Callable[[FloatArray], FloatArray]
    inverse: Callable[[FloatArray], FloatArray]


def make_transform(name: TransformName, test_size: int | None = None) -> Transform:
    """The transform of that name.

    Parameters
    ----------
    name
        ``logit`` expects fractions in [0, 1], ``log10`` positive values.
    test_size
        Number of examples behind the fraction; ``logit`` clips at half an example, ``.5 / test_size`` from 0 and
        from 1, where the logit would be infinite.

    Raises
    ------
    TaskError
        If ``logit`` is asked for without a test size.
    """
    if name == "logit":
        if test_size is None or test_size < 1:
            raise TaskError("The logit scale needs the number of test examples (data_set.test_size of the zoo's card).")
        margin = 0.5 / test_size
        return Transform(name, lambda values: _logit(np.clip(values, margin, 1 - margin)), _sigmoid)
    if name == "log10":
        return Transform(name, np.log10, lambda values: np.power(10.0, np.clip(values, -100, 100)))
    if name == "asinh":
        bound = float(np.arcsinh(_LARGEST))
        return Transform(name, np.arcsinh, lambda values: np.sinh(np.clip(values, -bound, bound)))
    return Transform(name, np.copy, np.copy)


def standardised(transform: Transform, natural: FloatArray) -> Transform:
    """A transform followed by taking off the mean of a population and dividing by its standard deviation.

    Parameters
    ----------
    transform
        What comes first.
    natural
        The population on its natural scale; where all of it is equal, only the mean is taken off.
    """
    scaled = transform.forward(natural)
    mean, spread = float(scaled.mean()), float(scaled.std()) or 1.0
    return Transform(
        "standardised",
        lambda values: (transform.forward(values) - mean) / spread,
        lambda values: transform.inverse(values * spread + mean),
    )


def _logit(fractions: FloatArray) -> FloatArray:
    return np.log(fractions) - np.log1p(-fractions)


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
