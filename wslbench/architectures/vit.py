"""Vision transformers (Dosovitskiy et al. 2021, arXiv 2010.11929), with timm's names and layouts."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wslbench.architectures._attention import attend
from wslbench.architectures._checks import depth_within_reason, divides, positive, within

_EPSILON = 1e-6  # of every layer norm, as in timm
_DEVIATION = 0.02  # of initial weights


class PatchEmbedding(nn.Module):
    """Cuts an image into patches and projects each, as one convolution."""

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, patch_size, patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """``[n, in_channels, size, size]`` to ``[n, patches, dim]``, row by row."""
        patches: Tensor = self.proj(images)
        return patches.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention over all tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[n, tokens, dim]`` to the same shape."""
        attended: Tensor = self.proj(attend(self.qkv(tokens), self.heads, causal=False))
        return attended


class FeedForward(nn.Module):
    """Two linear layers around a GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[n, tokens, dim]`` to the same shape."""
        output: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return output


class Block(nn.Module):
    """Attention, then feed-forward, each on the normed stream and added to it."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, _EPSILON)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, _EPSILON)
        self.mlp = FeedForward(dim, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[n, tokens, dim]`` to the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens))
        output: Tensor = tokens + self.mlp(self.norm2(tokens))
        return output


class ViT(nn.Module):
    """Patches and a class token with learnt positions, pre-norm blocks, a read-out of the class token.

    Parameters
    ----------
    dim
        Model dimension; the zoo's load.
    depth
        Number of blocks.
    heads
        Attention heads; divides ``dim``.
    patch_size
        Height and width of a patch, in pixels; divides ``image_size``.
    image_size
        Height and width of an image, in pixels.
    in_channels
        Channels of an image.
    classes
        Number of logits.
    mlp_ratio
        Hidden width of the feed-forward layers over ``dim``, rounded down.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        patch_size: int = 4,
        image_size: int = 32,
        in_channels: int = 3,
        classes: int = 10,
        mlp_ratio: float = 4.0,
    ) -> None:
        super().__init__()
        positive(dim=dim, depth=depth, heads=heads, patch_size=patch_size, image_size=image_size)
        depth_within_reason(depth=depth)
        positive(in_channels=in_channels, classes=classes)
        divides("heads", heads, "dim", dim)
        divides("patch_size", patch_size, "image_size", image_size)
        within("mlp_ratio", mlp_ratio, 0, math.inf)
        hidden = int(dim * mlp_ratio)
        if hidden < 1:
            raise ValueError(f"mlp_ratio must leave a hidden unit, but {mlp_ratio!r} of dim {dim} leaves none")
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (image_size // patch_size) ** 2, dim))
        self.patch_embed = PatchEmbedding(in_channels, dim, patch_size)
        self.blocks = nn.Sequential(*(Block(dim, heads, hidden) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, _EPSILON)
        self.head = nn.Linear(dim, classes)
        self.example_shape = (in_channels, image_size, image_size)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.pos_embed, std=_DEVIATION)
        nn.init.trunc_normal_(self.cls_token, std=_DEVIATION)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_DEVIATION)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, classes]`` of images ``[n, in_channels, image_size, image_size]``."""
        patches = self.patch_embed(images)
        class_token = self.cls_token.expand(patches.shape[0], -1, -1)
        tokens = torch.cat([class_token, patches], 1) + self.pos_embed
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits
