"""Weight statistics: a few numbers a tensor, as in Unterthiner et al. 2020 (arXiv 2002.11448), and spectra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.encodings.spectra import SPECTRA, spectra
from wslbench.zoo.models import FloatArray, Models, Stack

PERCENTILES: Final = (0, 25, 50, 75, 100)
STATISTICS: Final = ("mean", "std", *(f"p{percentile}" for percentile in PERCENTILES))


def statistics(models: Models, *, spectral: bool = False) -> pd.DataFrame:
    """Mean, standard deviation and percentiles of every tensor of every model; spectra of the matrices if asked for.

    Parameters
    ----------
    models
        The models to encode.
    spectral
        Whether to add what :func:`wslbench.encodings.spectra.spectra` says of every tensor of two axes or more, taken
        as the matrix ``[first axis, all others]``.

    Returns
    -------
    pandas.DataFrame
        A row a model, in the order of ``models`` and indexed by their ids; columns ``<tensor>.<statistic>`` in
        float64, with the statistics ``mean``, ``std`` (population), ``p0``, ``p25``, ``p50``, ``p75``, ``p100``
        (linear interpolation). With ``spectral`` also ``frobenius_norm``, ``spectral_norm``, ``stable_rank``,
        ``effective_rank``, ``s0``, ``s25``, ``s50``, ``s75`` and ``power_law``, which is NaN for matrices of few
        singular values. A column is NaN where a model's architecture lacks the tensor. Which columns there are
        depends on the architectures among ``models``, never on how many models there are.

    Notes
    -----
    A row depends on its own model alone. Memory beyond the result stays below 200 MB, or what one model takes (with
    ``spectral`` a few times what its largest matrix takes in float64).
    """
    stacks = models.by_architecture()
    named = dict.fromkeys(name for stack in stacks for name in _columns(stack, spectral))
    place = {name: column for column, name in enumerate(named)}
    table = np.full((len(place), len(models)), np.nan)  # as a data frame holds its columns: there is no second copy
    for stack in stacks:
        for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
            first = 0
            for block in stack.blocks(name):
                rows = stack.positions[first : first + len(block)]
                first += len(block)
                for statistic, values in _described(block, spectral):
                    table[place[f"{name}.{statistic}"], rows] = values
    return pd.DataFrame(table.T, index=pd.Index(models.ids, name="model_id"), columns=list(place), copy=False)


def _columns(stack: Stack, spectral: bool) -> Iterator[str]:
    for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
        of_matrices = SPECTRA if spectral and len(stack.shape(name)) > 1 else ()
        yield from (f"{name}.{statistic}" for statistic in (*STATISTICS, *of_matrices))


def _described(block: FloatArray, spectral: bool) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Names and values ``[models]`` of everything that is said of a tensor ``[models, *shape]``."""
    yield from zip(STATISTICS, _tensor_statistics(block.reshape(len(block), -1)).T, strict=True)
    if spectral and block.ndim > 2:
        yield from zip(SPECTRA, spectra(block).T, strict=True)


def _tensor_statistics(values: FloatArray) -> npt.NDArray[np.float64]:
    """``[models, len(STATISTICS)]`` of one tensor ``[models, entries]``."""
    mean = values.mean(axis=1, dtype=np.float64)
    return np.column_stack([mean, _deviation(values, mean), _percentiles(np.sort(values, axis=1))])


def _deviation(values: FloatArray, mean: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Two passes in float32 differences: exact where E[x²] − E[x]² would cancel, and no float64 copy of the stack."""
    difference = values - mean[:, None].astype(np.float32)
    squares = np.einsum("ij,ij->i", difference, difference, dtype=np.float64)
    # The mean was rounded to float32; its rounding error is taken out again.
    offset = difference.mean(axis=1, dtype=np.float64)
    deviation: npt.NDArray[np.float64] = np.sqrt(np.maximum(squares / values.shape[1] - offset**2, 0))
    return deviation


def _percentiles(ordered: FloatArray) -> npt.NDArray[np.float64]:
    place = np.array(PERCENTILES) / 100 * (ordered.shape[1] - 1)
    below = np.floor(place).astype(np.intp)
    above = np.ceil(place).astype(np.intp)
    low, high = ordered[:, below].astype(np.float64), ordered[:, above].astype(np.float64)
    percentiles: npt.NDArray[np.float64] = low + (place - below) * (high - low)
    return percentiles
