"""The language objective against a plain loop over windows."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from wslbench.architectures import Architecture
from wslbench.datasets import TextDataset
from wslbench.errors import DatasetError
from wslbench.training import Language, ModelStack, Optimisation, RunSettings, train_stack
from wslbench.training.objectives import DrawnSamples

CONTEXT, VOCABULARY = 8, 11
GPT = Architecture(
    builder="gpt", arguments={"dim": 8, "depth": 1, "heads": 2, "context": CONTEXT, "vocabulary": VOCABULARY}
)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    text = np.cumsum(generator.integers(0, 3, 500)) % VOCABULARY  # the next token is one of three
    return TextDataset("made", text[:400].astype(np.uint16), text[400:].astype(np.uint16), VOCABULARY)


@pytest.fixture(scope="module")
def stack():
    return ModelStack.initialise(GPT, [1, 2])


def by_hand(stack, row, tokens):
    network = GPT.module().eval()
    network.load_state_dict({name: tensor[row] for name, tensor in stack.parameters.items()})
    losses, hits = [], []
    for start in range(0, len(tokens) - CONTEXT, CONTEXT):
        window = torch.from_numpy(tokens[start : start + CONTEXT + 1].astype(np.int64))
        with torch.no_grad():
            logits = network(window[None, :-1])[0]
        losses += cross_entropy(logits, window[1:], reduction="none").tolist()
        hits += (logits.argmax(1) == window[1:]).tolist()
    return np.mean(losses), np.mean(hits)


def test_measured_is_the_plain_loop(data, stack):
    measured = Language(data, CONTEXT).measure(stack)
    for row in range(2):
        for part, tokens in (("train", data.train_tokens), ("test", data.test_tokens)):
            loss, accuracy = by_hand(stack, row, tokens)
            assert measured[f"{part}_loss"][row] == pytest.approx(loss, rel=1e-5)
            assert measured[f"{part}_accuracy"][row] == pytest.approx(accuracy)


def test_an_epoch_sees_every_window_and_training_helps(data, stack):
    objective = Language(data, CONTEXT)
    assert objective.train_size == 399 // CONTEXT
    tokens, following = objective.draw(np.arange(objective.train_size)[None], [np.random.default_rng(0)])
    assert tokens[0].flatten().tolist() == data.train_tokens[: objective.train_size * CONTEXT].tolist()
    assert following[0, 3].tolist() == data.train_tokens[3 * CONTEXT + 1 : 4 * CONTEXT + 1].tolist()
    optimisation = Optimisation(epochs=15, batch_size=7, optimiser="adamw", weight_decay=0.01, clip_norm=1.0)
    trained = train_stack(stack, objective, optimisation, RunSettings([1, 2], [0.03, 0.03]), [15]).checkpoints[15]
    before, after = objective.measure(stack), objective.measure(trained)
    assert (after["train_loss"] < before["train_loss"] - 0.3).all()
    assert not objective.dead(after).any()


def test_dead_is_no_better_than_the_commonest_token(data):
    commonest = np.bincount(data.train_tokens).max() / len(data.train_tokens)
    accuracies = np.array([commonest, commonest + 0.01])
    assert Language(data, CONTEXT).dead({"train_accuracy": accuracies}).tolist() == [True, False]


def test_representation_is_logits_at_spaced_positions(data, stack, monkeypatch):
    whole = Language(data, CONTEXT).representation(stack)
    assert whole.shape == (2, 99 // CONTEXT * CONTEXT, VOCABULARY)
    monkeypatch.setattr("wslbench.training.objectives.language.REPRESENTED_POSITIONS", 24)
    spaced = Language(data, CONTEXT).representation(stack)
    assert torch.allclose(spaced, whole[:, ::4])


def test_a_text_shorter_than_a_window_is_refused(data):
    with pytest.raises(DatasetError, match="shorter than a window of 200 tokens"):
        Language(data, 200)


def test_drawn_windows_are_compared_at_their_last_position(data):
    """Any window of the text may be drawn, also beyond the positions that are compared without a draw."""
    stack = ModelStack.initialise(GPT, [0])
    objective = Language(data, CONTEXT)
    rows = np.array([objective.test_size - 1, 0])
    found = objective.representation(stack, drawn=DrawnSamples(rows))
    network = GPT.module().eval()
    network.load_state_dict({name: tensor[0] for name, tensor in stack.parameters.items()}, strict=False)
    with torch.no_grad():
        expected = network(objective.clean(rows, "test").tensors[0])[:, -1]
    assert torch.allclose(found[0], expected, atol=1e-5)
