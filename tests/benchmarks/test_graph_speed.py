"""Neural graphs of a population: built from whole stacks, against one model after the other."""

import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

import wslbench
from tests.baselines.made import load_baseline
from wslbench.encodings import graphs
from wslbench.typing import Context, TaskInfo

MODELS = 64


@pytest.fixture(scope="module")
def models():
    zoo = wslbench.load_zoo("digits-cnn")
    return zoo.models(zoo.table.query("measured").index)


def one_by_one(models):
    """The obvious way: every model's graph by itself, then all in one batch."""
    return Batch.from_data_list([graphs(models[[row]], kernel=9)[0] for row in range(len(models))])


def test_graphs_of_the_whole_zoo(against, models):
    against(lambda: graphs(models), lambda: one_by_one(models), rounds=3)


def test_training_step_on_graphs_of_64_models(against, models):
    """Encoding, and one step of ``graph_encoder`` forward and back."""
    some = models[np.random.default_rng(0).permutation(len(models))[:MODELS]]
    encoder, training = load_baseline("graph_encoder"), load_baseline("neural_training")
    context = Context(TaskInfo("made.up", "accuracy_prediction", "made-up"), (), np.arange(MODELS), 0, "cpu", math.inf)
    objective = training.Objective(np.arange(float(MODELS)), context)
    network = encoder.Network(graphs(some), objective.outputs, encoder.Settings())
    optimiser = torch.optim.AdamW(network.parameters())
    rows = torch.arange(MODELS)

    def step(batch):
        optimiser.zero_grad()
        objective.loss(network(batch), rows).backward()
        optimiser.step()

    against(lambda: step(graphs(some)), lambda: step(one_by_one(some)))
