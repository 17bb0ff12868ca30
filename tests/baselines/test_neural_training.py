"""What the neural baselines share: validation by whole cells, early stopping, targets and back."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from tests.baselines.made import PHASES, load_baseline
from wslbench.typing import Context, TaskInfo

training = load_baseline("neural_training")


def context(groups: np.ndarray, classes: tuple[str, ...] = (), deadline: float = math.inf) -> Context:
    return Context(TaskInfo("made.up", "accuracy_prediction", "made-up"), classes, groups, 3, "cpu", deadline)


def test_validation_takes_whole_cells() -> None:
    groups = np.repeat(np.arange(10), 4)
    fitted, held_out = training.split_cells(groups, np.random.default_rng(0))
    assert len(np.unique(groups[held_out])) == 2
    assert not set(groups[fitted]) & set(groups[held_out])
    assert sorted([*fitted, *held_out]) == list(range(40))
    fitted, held_out = training.split_cells(np.zeros(4, np.int64), np.random.default_rng(0))
    assert (len(fitted), len(held_out)) == (4, 0)


def test_phases_weigh_alike_whatever_their_frequency() -> None:
    target = np.array(["I"] * 30 + ["III"] * 10, dtype=object)
    objective = training.Objective(target, context(np.arange(40), PHASES))
    logits = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    shown = logits[:, [0, 2]].double().softmax(1).numpy()
    expected = log_loss(target == "III", shown, sample_weight=np.where(target == "III", 3.0, 1.0))
    assert float(objective.loss(logits, torch.arange(40))) == pytest.approx(expected, rel=1e-5)
    probabilities = objective.predictions(logits)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert probabilities[:, [1, 3, 4]].max() == 0


def test_values_come_back_on_their_own_scale() -> None:
    target = np.array([10.0, 30.0, 50.0])
    objective = training.Objective(target, context(np.arange(3)))
    standardised = torch.from_numpy((target - 30) / target.std())[:, None]
    np.testing.assert_allclose(objective.predictions(standardised), target)
    assert float(objective.loss(standardised.float(), torch.arange(3))) == pytest.approx(0, abs=1e-12)


def linear_problem(noise: float) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    features = random.normal(size=(120, 30))
    target = features[:, 0] + noise * random.normal(size=120)
    return torch.from_numpy(features).float(), target, np.repeat(np.arange(30), 4)


def test_the_best_epoch_on_held_out_cells_is_kept() -> None:
    features, target, groups = linear_problem(noise=1.0)
    told = context(groups)
    objective = training.Objective(target, told)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(30, 200), nn.ReLU(), nn.Linear(200, 1))
    history = training.train(network, lambda rows: network(features[rows]), objective, told,
                             training.Schedule(60, 15, 16, 0.01, 0.0))  # fmt: skip
    assert history.kept == int(np.argmin(history.losses))
    assert len(history.losses) == min(60, history.kept + 16)
    assert len(history.losses) < 60  # it overfits, so it stops
    _, held_out = training.split_cells(groups, np.random.default_rng(told.seed))
    with torch.no_grad():
        again = objective.loss(network(features[held_out]), torch.from_numpy(held_out))
    assert float(again) == pytest.approx(min(history.losses), rel=1e-5)


def test_training_ends_before_the_deadline() -> None:
    features, target, groups = linear_problem(noise=0.0)
    told = context(groups, deadline=time.monotonic() + 1.0)
    network = nn.Linear(30, 1)
    started = time.monotonic()
    training.train(network, lambda rows: network(features[rows]), training.Objective(target, told), told,
                   training.Schedule(10**6, 10**6, 16, 0.01, 0.0))  # fmt: skip
    assert time.monotonic() - started < 1.0
