"""Linear CKA between networks (Kornblith et al. 2019, arXiv 1905.00414, eq. 5 with a linear kernel)."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def linear_cka(first: Tensor, second: Tensor) -> Tensor:
    """Linear CKA of representations, pair by pair, exact over all samples.

    ``||Yᵀ X||² / (||Xᵀ X|| ||Yᵀ Y||)`` with columns centred, Frobenius norms. A constant representation has
    none: NaN.

    Parameters
    ----------
    first, second
        ``[pairs, n, features]`` on the same n inputs; features may differ between the two.

    Returns
    -------
    Tensor
        float64 ``[pairs]``, between 0 and 1.
    """
    x = first.double() - first.double().mean(1, keepdim=True)
    y = second.double() - second.double().mean(1, keepdim=True)
    norm = torch.linalg.matrix_norm
    if x.shape[1] < x.shape[2]:  # the same numbers from the smaller of the two Gram matrices
        gram_x, gram_y = x @ x.mT, y @ y.mT
        similarity: Tensor = (gram_x * gram_y).sum((-2, -1)) / (norm(gram_x) * norm(gram_y))
    else:
        similarity = norm(x.mT @ y) ** 2 / (norm(x.mT @ x) * norm(y.mT @ y))
    return similarity
