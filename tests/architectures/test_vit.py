"""Vision transformers: timm's names, published counts, and torch's own encoder layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.architectures.cases import architecture

BLOCK = ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"]


def test_names_are_timms() -> None:
    state = architecture("vit", dim=12, depth=2, heads=3, patch_size=4, image_size=16).module().state_dict()
    layers = ["patch_embed.proj", *(f"blocks.{block}.{name}" for block in (0, 1) for name in BLOCK), "norm", "head"]
    expected = ["cls_token", "pos_embed", *(f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))]
    assert list(state) == expected
    shapes = {
        "cls_token": (1, 1, 12),
        "pos_embed": (1, 17, 12),
        "patch_embed.proj.weight": (12, 3, 4, 4),
        "blocks.0.attn.qkv.weight": (36, 12),
        "blocks.0.mlp.fc1.weight": (48, 12),
        "head.weight": (10, 12),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


@pytest.mark.parametrize(("dim", "heads", "count"), [(192, 3, 5_717_416), (384, 6, 22_050_664), (768, 12, 86_567_656)])
def test_parameters_are_the_published_numbers(dim: int, heads: int, count: int) -> None:
    """DeiT-Ti, DeiT-S and ViT-B/16 at 224 pixels, 1,000 classes."""
    described = architecture("vit", dim=dim, depth=12, heads=heads, patch_size=16, image_size=224, classes=1000)
    assert described.parameters() == count


@pytest.mark.parametrize(
    ("dim", "depth", "patch", "size", "channels", "classes", "ratio"),
    [(8, 1, 4, 32, 3, 10, 4), (24, 3, 2, 8, 1, 7, 2), (6, 2, 8, 32, 3, 100, 0.5)],
)
def test_parameters_by_formula(
    dim: int, depth: int, patch: int, size: int, channels: int, classes: int, ratio: float
) -> None:
    hidden = int(dim * ratio)
    block = 4 * dim + (dim + 1) * 3 * dim + (dim + 1) * dim + (dim + 1) * hidden + (hidden + 1) * dim
    embedding = (channels * patch**2 + 1) * dim + dim + ((size // patch) ** 2 + 1) * dim
    described = architecture(
        "vit",
        dim=dim,
        depth=depth,
        heads=2,
        patch_size=patch,
        image_size=size,
        in_channels=channels,
        classes=classes,
        mlp_ratio=ratio,
    )
    assert described.parameters() == embedding + depth * block + 2 * dim + (dim + 1) * classes


def test_forward_is_torchs_encoder() -> None:
    torch.manual_seed(0)
    dim, heads, patch = 12, 3, 4
    network = (
        architecture("vit", dim=dim, depth=2, heads=heads, patch_size=patch, image_size=8).module().double().eval()
    )
    state = network.state_dict()
    for tensor in state.values():
        tensor.normal_(std=0.5)
    images = torch.randn(5, 3, 8, 8, dtype=torch.float64)

    # Patches row by row, each flattened as the convolution's weight is.
    corners = [(top, left) for top in (0, 4) for left in (0, 4)]
    patches = torch.stack([images[:, :, i : i + patch, j : j + patch].flatten(1) for i, j in corners], 1)
    embedded = patches @ state["patch_embed.proj.weight"].flatten(1).T + state["patch_embed.proj.bias"]
    tokens = torch.cat([state["cls_token"].repeat(5, 1, 1), embedded], 1) + state["pos_embed"]
    for block in (0, 1):
        layer = nn.TransformerEncoderLayer(
            dim, heads, 4 * dim, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
        ).double()
        theirs = ["norm1", "self_attn.in_proj_", "self_attn.out_proj", "norm2", "linear1", "linear2"]
        layer.load_state_dict(
            {
                f"{their}.{kind}".replace("_.", "_"): state[f"blocks.{block}.{our}.{kind}"]
                for our, their in zip(BLOCK, theirs, strict=True)
                for kind in ("weight", "bias")
            }
        )
        tokens = layer.train()(tokens)  # dropout of 0; torch's fast path is for evaluation
    normed = nn.functional.layer_norm(tokens[:, 0], (dim,), state["norm.weight"], state["norm.bias"], 1e-6)
    expected = normed @ state["head.weight"].T + state["head.bias"]
    assert expected.shape == (5, 10)
    torch.testing.assert_close(network(images), expected)
