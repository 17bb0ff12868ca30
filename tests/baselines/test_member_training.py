"""Members trained in the same steps: what each is alone, with an end of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.baselines.made import load_baseline
from wslbench.typing import Context, TaskInfo

baseline = load_baseline("neural_functional")
training = load_baseline("neural_training")
SCHEDULE = training.Schedule(epochs=12, patience=12, batch=8, rate=3e-2, decay=1e-2, averaging=0.5)
INPUTS = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
VALUES = (INPUTS[:, 0] * 2 - INPUTS[:, 1]).double().numpy()


def context(groups: np.ndarray, deadline: float = math.inf) -> Context:
    return Context(TaskInfo("made.up", "accuracy_prediction", "made-up"), (), groups, 3, "cpu", deadline)


def fitted(seeds, groups=None, schedule=SCHEDULE, deadline=math.inf):
    """Linear members by seed, and the losses that their training gave."""
    told = context(np.arange(40) // 2 if groups is None else groups, deadline)
    alone = []
    for seed in seeds:
        torch.manual_seed(seed)
        alone.append(baseline.Linear(3, 1))
    network = baseline.joined(alone)
    objective = training.Objective(VALUES, told)
    losses = baseline.train_members(network, lambda rows: network(INPUTS[rows]), objective, told, seeds, schedule)
    return network, losses


def test_together_or_alone_members_become_the_same() -> None:
    """Cells of equal sizes: batches are the same. One member ends before the others do."""
    schedule = SCHEDULE._replace(epochs=60, patience=2, rate=0.3)
    together, losses = fitted([4, 5, 6], schedule=schedule)
    assert len({len(each) for each in losses}) > 1
    for number, seed in enumerate([4, 5, 6]):
        alone, (own,) = fitted([seed], schedule=schedule)
        np.testing.assert_allclose(losses[number], own, rtol=1e-4)
        torch.testing.assert_close(together.weight[number], alone.weight[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together.bias[number], alone.bias[0], rtol=1e-4, atol=1e-5)


def test_one_member_is_trained_as_one_network_is() -> None:
    """32 models to fit on in batches of 8: both ways take the same steps."""
    told = context(np.arange(40) // 2)
    network, (losses,) = fitted([3])
    torch.manual_seed(3)
    plain = nn.Linear(3, 1)
    objective = training.Objective(VALUES, told)
    history = training.train(plain, lambda rows: plain(INPUTS[rows]), objective, told, SCHEDULE)
    np.testing.assert_allclose(losses, history.losses, rtol=1e-4)
    torch.testing.assert_close(network.weight[0], plain.weight, rtol=1e-4, atol=1e-5)


def test_members_that_fit_on_different_numbers_of_models_take_the_same_number_of_steps() -> None:
    groups = np.repeat(np.arange(6), [1, 2, 3, 10, 20, 4])
    network, losses = fitted([0, 1, 2, 3], groups)
    assert all(np.isfinite(each).all() for each in losses)
    assert torch.isfinite(network.weight).all()


@pytest.mark.parametrize("groups", [np.zeros(40, np.int64), np.repeat([0, 1], [39, 1])], ids=["one", "lopsided"])
def test_few_cells_are_enough(groups: np.ndarray) -> None:
    network, losses = fitted([0, 1], groups)
    assert np.isnan(losses).all() == (groups == 0).all()
    assert torch.isfinite(network.weight).all()


def test_training_ends_in_time() -> None:
    assert [len(each) for each in fitted([0, 1], deadline=-math.inf)[1]] == [1, 1]
