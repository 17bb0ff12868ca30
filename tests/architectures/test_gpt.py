"""GPT-2: Hugging Face's names and layouts, the published count, and attention as a loop over positions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.architectures.cases import architecture

Array = NDArray[np.float64]
SMALL = architecture("gpt", dim=6, depth=2, heads=3, context=7, vocabulary=13)


def test_names_and_layouts_are_those_of_gpt2_checkpoints() -> None:
    state = architecture("gpt", dim=6, depth=1, heads=3, context=7, vocabulary=13).module().state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "transformer.wte.weight": (13, 6),
        "transformer.wpe.weight": (7, 6),
        "transformer.h.0.ln_1.weight": (6,),
        "transformer.h.0.ln_1.bias": (6,),
        "transformer.h.0.attn.c_attn.weight": (6, 18),
        "transformer.h.0.attn.c_attn.bias": (18,),
        "transformer.h.0.attn.c_proj.weight": (6, 6),
        "transformer.h.0.attn.c_proj.bias": (6,),
        "transformer.h.0.ln_2.weight": (6,),
        "transformer.h.0.ln_2.bias": (6,),
        "transformer.h.0.mlp.c_fc.weight": (6, 24),
        "transformer.h.0.mlp.c_fc.bias": (24,),
        "transformer.h.0.mlp.c_proj.weight": (24, 6),
        "transformer.h.0.mlp.c_proj.bias": (6,),
        "transformer.ln_f.weight": (6,),
        "transformer.ln_f.bias": (6,),
    }


@pytest.mark.parametrize(
    ("dim", "depth", "heads", "count"),
    [(768, 12, 12, 124_439_808), (1024, 24, 16, 354_823_168), (1600, 48, 25, 1_557_611_200)],
)
def test_parameters_are_the_published_numbers(dim: int, depth: int, heads: int, count: int) -> None:
    """GPT-2 small, medium and XL, the read-out shared with the embedding."""
    assert architecture("gpt", dim=dim, depth=depth, heads=heads).parameters() == count


def norm(vector: Array, weight: Array, bias: Array) -> Array:
    return (vector - vector.mean()) / np.sqrt(vector.var() + 1e-5) * weight + bias


def gelu(vector: Array) -> Array:
    return vector / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (vector + 0.044715 * vector**3)))


def logits_by_hand(state: dict[str, Array], tokens: list[int], heads: int, depth: int) -> Array:
    """One position after the other, one head after the other, looking back only."""

    def layer(name: str, vector: Array) -> Array:
        return vector @ state[f"{name}.weight"] + state[f"{name}.bias"]

    def normed(name: str, vector: Array) -> Array:
        return norm(vector, state[f"{name}.weight"], state[f"{name}.bias"])

    stream = [
        state["transformer.wte.weight"][token] + state["transformer.wpe.weight"][position]
        for position, token in enumerate(tokens)
    ]
    for block in (f"transformer.h.{number}" for number in range(depth)):
        projected = [layer(f"{block}.attn.c_attn", normed(f"{block}.ln_1", vector)) for vector in stream]
        queries, keys, values = (
            [np.split(np.split(vector, 3)[part], heads) for vector in projected] for part in range(3)
        )
        for position in range(len(tokens)):
            attended = []
            for head in range(heads):
                seen = range(position + 1)
                scores = np.array([queries[position][head] @ keys[other][head] for other in seen])
                weights = np.exp(scores / math.sqrt(len(keys[0][head])))
                mixed = sum(weight * values[other][head] for weight, other in zip(weights, seen, strict=True))
                attended.append(mixed / weights.sum())
            stream[position] = stream[position] + layer(f"{block}.attn.c_proj", np.concatenate(attended))
        for position, vector in enumerate(stream):
            hidden = gelu(layer(f"{block}.mlp.c_fc", normed(f"{block}.ln_2", vector)))
            stream[position] = vector + layer(f"{block}.mlp.c_proj", hidden)
    final = np.stack([normed("transformer.ln_f", vector) for vector in stream])
    return final @ state["transformer.wte.weight"].T


def test_forward_is_the_loop_over_positions() -> None:
    torch.manual_seed(0)
    network = SMALL.module().double()
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.5)
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    sequences = [[1, 12, 0, 5, 5, 7], [3, 3, 9, 2, 0, 11]]
    logits = network(torch.tensor(sequences))
    assert logits.shape == (2, 6, 13)
    for row, tokens in enumerate(sequences):
        np.testing.assert_allclose(logits[row].detach().numpy(), logits_by_hand(state, tokens, 3, 2), rtol=1e-9)


def test_a_later_token_leaves_earlier_logits_alone() -> None:
    network = SMALL.module()
    tokens = torch.tensor([[4, 8, 1, 0, 2, 6, 3]])
    changed = tokens.clone()
    changed[0, 4] = 9
    before, after = network(tokens), network(changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.isclose(before[:, 4:], after[:, 4:]).all(-1).any()


def test_shorter_texts_are_beginnings() -> None:
    network = SMALL.module().double()
    tokens = torch.tensor([[4, 8, 1, 0, 2, 6, 3]])
    torch.testing.assert_close(network(tokens[:, :3]), network(tokens)[:, :3])


def test_longer_texts_than_the_context_are_refused() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        SMALL.module()(torch.zeros(1, 8, dtype=torch.int64))


def test_the_read_out_is_the_embedding() -> None:
    network = SMALL.module()
    network(torch.tensor([[1, 2]])).sum().backward()
    gradient = network.transformer.wte.weight.grad
    assert gradient is not None
    assert gradient[5].any()  # token 5 occurs in no input: its gradient comes through the read-out


def test_weights_start_as_gpt2s_do() -> None:
    torch.manual_seed(0)
    state = architecture("gpt", dim=128, depth=8, heads=4, context=256, vocabulary=512).module().state_dict()
    for name, tensor in state.items():
        if name.endswith("bias"):
            assert not tensor.any(), name
        elif tensor.ndim == 1:
            assert torch.equal(tensor, torch.ones_like(tensor)), name
        else:
            deviation = 0.02 / 4 if "c_proj" in name else 0.02  # √(2 · 8 blocks) = 4
            assert tensor.std().item() == pytest.approx(deviation, rel=0.03), name
