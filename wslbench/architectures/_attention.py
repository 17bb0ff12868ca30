"""Multi-head attention after its projections, as matrix products that every transform of torch.func can follow."""

from __future__ import annotations

import torch
from torch import Tensor


def attend(projected: Tensor, heads: int, *, causal: bool) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1), head by head.

    torch's own fused attention cannot be differentiated twice, which Hessian-vector products need.

    Parameters
    ----------
    projected
        ``[n, length, 3 · dim]``: queries, keys, values side by side, each with its heads side by side.
    heads
        Number of heads; divides dim.
    causal
        Whether a position sees itself and earlier ones only.

    Returns
    -------
    Tensor
        ``[n, length, dim]``, the heads side by side.
    """
    queries, keys, values = torch.unflatten(projected, -1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    scores = queries @ keys.transpose(-2, -1) * keys.shape[-1] ** -0.5
    if causal:
        # Made from the scores, not kept as a buffer: so a state dict holds weights only, and any length traces.
        future = torch.ones_like(scores[:1, :1]).triu(1)
        scores = scores.masked_fill(future > 0, float("-inf"))
    attended: Tensor = scores.softmax(-1) @ values
    return attended.transpose(1, 2).flatten(2)
