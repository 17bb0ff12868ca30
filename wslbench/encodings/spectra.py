"""Spectra: a few numbers about the singular values of a matrix, for many matrices at once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[np.float64]

QUANTILES: Final = (0, 25, 50, 75)  # the 100th is the spectral norm
SPECTRA: Final = (
    "frobenius_norm",
    "spectral_norm",
    "stable_rank",
    "effective_rank",
    *(f"s{quantile}" for quantile in QUANTILES),
    "power_law",
)
MINIMUM_TAIL: Final = 3
_PRECISION = float(np.finfo(np.float32).eps)  # of weights as zoos store them
_BLOCK_BYTES = 64 * 1024**2


def spectra(stack: Floats) -> Array:
    r"""Describe the singular values of every matrix of a stack.

    A tensor of more than two axes is taken as the matrix ``[first axis, all others]``: a kernel as its filters.

    Parameters
    ----------
    stack
        ``[n, rows, ...]``, of at least three axes.

    Returns
    -------
    numpy.ndarray
        ``[n, len(SPECTRA)]`` float64, in the order of ``SPECTRA``; see the notes. Never infinite, for entries within
        float32's range. A matrix with an entry that is not finite has NaN in all of its own row. For a matrix of zeros
        everything is 0, but for the exponent, which is NaN.

    Notes
    -----
    With the singular values :math:`s_1 \ge \dots \ge s_m` of a matrix *W*, *m* being its shorter side:

    ``frobenius_norm``, ``spectral_norm``
        :math:`\|W\|_F = (\sum_i s_i^2)^{1/2}` and :math:`\|W\|_2 = s_1`, in the unit of the weights.
    ``stable_rank``
        :math:`\|W\|_F^2 / \|W\|_2^2`, from 1 to the rank (Rudelson & Vershynin 2007, arXiv math/0503442, as the
        *numerical rank*).
    ``effective_rank``
        :math:`\exp(-\sum_i p_i \ln p_i)` with :math:`p_i = s_i / \sum_j s_j`, from 1 to the rank (Roy & Vetterli
        2007, *The effective rank: a measure of effective dimensionality*, EUSIPCO).
    ``s0``, ``s25``, ``s50``, ``s75``
        Percentiles of the *m* singular values (linear interpolation), in the unit of the weights; the 100th is
        ``spectral_norm``. They are not divided by it: what is comparable between which matrices is up to the reader.
    ``power_law``
        The exponent :math:`\alpha` of a density :math:`p(\lambda) \propto \lambda^{-\alpha}` above
        :math:`\lambda_\min`, of the *n* eigenvalues :math:`\lambda_1 \ge \dots \ge \lambda_n > 0` of
        :math:`W W^\top`. Heavy tails are what Martin & Mahoney 2021 (JMLR 22:165, arXiv 1810.01075) describe trained
        weights by. Maximum likelihood gives :math:`\alpha = 1 + k / \sum_{i=1}^{k} \ln(\lambda_i / \lambda_\min)`
        (Clauset, Shalizi & Newman 2009, arXiv 0706.1062, eq. 3.1); with :math:`\lambda_\min = \lambda_{k+1}` it is
        Hill's estimator (1975). Here :math:`k = \lfloor n / 2 \rfloor`, as in Zhou et al. 2023 (arXiv 2312.00359,
        ``PL_Alpha_Hill``): a search for :math:`\lambda_\min` finds little in a few dozen eigenvalues. NaN where *k* is
        below ``MINIMUM_TAIL``, since the estimate has a finite variance from :math:`k = 3` on, and where the tail's
        eigenvalues are all alike, since then no exponent is too large.

    A singular value counts as 0 up to :math:`m \varepsilon s_1`, with float32's :math:`\varepsilon`: storing the
    entries in float32 moves it by as much as :math:`\varepsilon \|W\|_F / 2 \le \varepsilon \sqrt m\, s_1 / 2`.

    A row depends on its own matrix alone. Memory beyond the result stays below 200 MB, or a few times what one matrix
    takes in float64.
    """
    rows, columns = stack.shape[1], int(np.prod(stack.shape[2:]))
    matrices = stack.reshape(len(stack), rows, columns)
    result = np.empty((len(matrices), len(SPECTRA)))
    block = max(1, _BLOCK_BYTES // (8 * (rows * columns + min(rows, columns) ** 2)))
    for first in range(0, len(matrices), block):
        values = matrices[first : first + block].astype(np.float64)
        finite = np.asarray(np.isfinite(values).all(axis=(1, 2)))
        values[~finite] = 0
        result[first : first + block] = np.where(finite[:, None], _describe(values), np.nan)
    return result


def _describe(matrices: Array) -> Array:
    """``[n, len(SPECTRA)]`` of finite matrices ``[n, rows, columns]``."""
    singular = _singular_values(matrices)
    frobenius = np.sqrt(np.einsum("nij,nij->n", matrices, matrices))
    largest = singular[:, -1]
    stable_rank = _ratio(frobenius, largest) ** 2
    quantiles = np.percentile(singular, QUANTILES, axis=1)
    return np.column_stack(
        [frobenius, largest, stable_rank, _effective_rank(singular), *quantiles, _exponent(singular)]
    )


def _singular_values(matrices: Array) -> Array:
    """``[n, m]``, ascending, of the smaller Gram matrix: many times faster than an SVD, and exact down to the cut."""
    transposed = matrices.transpose(0, 2, 1)
    gram = matrices @ transposed if matrices.shape[1] <= matrices.shape[2] else transposed @ matrices
    singular: Array = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))
    singular[singular <= singular.shape[1] * _PRECISION * singular[:, -1:]] = 0
    return singular


def _effective_rank(singular: Array) -> Array:
    total = singular.sum(axis=1)
    shares = _ratio(singular, total[:, None])
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.where(total > 0, np.exp(-(shares * logarithms).sum(axis=1)), 0)


def _exponent(singular: Array) -> Array:
    """Hill's estimate from the upper half of the eigenvalues that are not 0."""
    positive = singular > 0
    eigenvalues = 2 * np.log(singular, out=np.zeros_like(singular), where=positive)
    tail = positive.sum(axis=1) // 2
    threshold = singular.shape[1] - 1 - tail
    excess = eigenvalues - np.take_along_axis(eigenvalues, threshold[:, None], axis=1)
    in_tail = np.arange(singular.shape[1]) > threshold[:, None]
    mean = _ratio((excess * in_tail).sum(axis=1), tail)
    # Closer than this, eigenvalues differ by no more than the rounding of the weights.
    defined = (tail >= MINIMUM_TAIL) & (mean > 2 * singular.shape[1] * _PRECISION)
    return 1 + np.divide(1, mean, out=np.full_like(mean, np.nan), where=defined)


def _ratio(numerator: Array, denominator: npt.NDArray[Any]) -> Array:
    """The quotient, 0 where the denominator is."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    quotient: Array = np.divide(numerator, denominator, out=np.zeros(shape), where=denominator != 0)
    return quotient
