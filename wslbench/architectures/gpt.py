"""GPT-2 (Radford et al. 2019) by model dimension, with the names and layouts of Hugging Face's GPT2LMHeadModel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from wslbench.architectures._attention import attend
from wslbench.architectures._checks import depth_within_reason, divides, positive

_DEVIATION = 0.02  # of initial weights


class Conv1D(nn.Module):
    """A linear layer whose weight is stored ``[in, out]``, under the name that GPT-2 gave it.

    Parameters
    ----------
    in_features, out_features
        Sizes.
    deviation
        Standard deviation of the initial weights; the bias starts at zero.
    """

    def __init__(self, in_features: int, out_features: int, deviation: float = _DEVIATION) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.normal_(self.weight, std=deviation)

    def forward(self, inputs: Tensor) -> Tensor:
        """``[..., in_features]`` to ``[..., out_features]``."""
        return inputs @ self.weight + self.bias


class Attention(nn.Module):
    """Multi-head self-attention in which a token sees itself and earlier ones only."""

    def __init__(self, dim: int, heads: int, residual_deviation: float) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = Conv1D(dim, 3 * dim)
        self.c_proj = Conv1D(dim, dim, residual_deviation)

    def forward(self, hidden: Tensor) -> Tensor:
        """``[n, T, dim]`` to the same shape."""
        attended: Tensor = self.c_proj(attend(self.c_attn(hidden), self.heads, causal=True))
        return attended


class FeedForward(nn.Module):
    """Two linear layers around the tanh approximation of a GELU, 4 · dim hidden units."""

    def __init__(self, dim: int, residual_deviation: float) -> None:
        super().__init__()
        self.c_fc = Conv1D(dim, 4 * dim)
        self.act = nn.GELU(approximate="tanh")
        self.c_proj = Conv1D(4 * dim, dim, residual_deviation)

    def forward(self, hidden: Tensor) -> Tensor:
        """``[n, T, dim]`` to the same shape."""
        output: Tensor = self.c_proj(self.act(self.c_fc(hidden)))
        return output


class Block(nn.Module):
    """Attention, then feed-forward, each on the normed stream and added to it."""

    def __init__(self, dim: int, heads: int, residual_deviation: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads, residual_deviation)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, residual_deviation)

    def forward(self, hidden: Tensor) -> Tensor:
        """``[n, T, dim]`` to the same shape."""
        hidden = hidden + self.attn(self.ln_1(hidden))
        output: Tensor = hidden + self.mlp(self.ln_2(hidden))
        return output


class Transformer(nn.Module):
    """Token and position embeddings, the blocks, a last norm: all of GPT-2 but its read-out."""

    def __init__(self, dim: int, depth: int, heads: int, context: int, vocabulary: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocabulary, dim)
        self.wpe = nn.Embedding(context, dim)
        # 2 · depth layers add to the residual stream: scaled so that its variance does not grow with depth.
        residual_deviation = _DEVIATION / (2 * depth) ** 0.5
        self.h = nn.Sequential(*(Block(dim, heads, residual_deviation) for _ in range(depth)))
        self.ln_f = nn.LayerNorm(dim)
        for embedding in (self.wte, self.wpe):
            nn.init.normal_(embedding.weight, std=_DEVIATION)

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states ``[n, T, dim]`` of tokens ``[n, T]``."""
        hidden = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        normed: Tensor = self.ln_f(self.h(hidden))
        return normed


class GPT(nn.Module):
    """GPT-2 whose read-out is the token embedding: one tensor, one entry in the state dict. No dropout.

    Parameters
    ----------
    dim
        Model dimension; the zoo's load.
    depth
        Number of blocks.
    heads
        Attention heads; divides ``dim``.
    context
        Tokens that the network can look at.
    vocabulary
        Number of different tokens.
    """

    def __init__(self, dim: int, depth: int, heads: int, context: int = 1024, vocabulary: int = 50257) -> None:
        super().__init__()
        positive(dim=dim, depth=depth, heads=heads, context=context, vocabulary=vocabulary)
        depth_within_reason(depth=depth)
        divides("heads", heads, "dim", dim)
        self.transformer = Transformer(dim, depth, heads, context, vocabulary)
        self.example_shape = (context,)
        self.vocabulary = vocabulary

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits ``[n, T, vocabulary]`` of the next token, for int64 tokens ``[n, T]`` with T ≤ ``context``.

        Raises
        ------
        RuntimeError
            If T exceeds ``context``: there are no positions to add.
        """
        return linear(self.transformer(tokens), self.transformer.wte.weight)
