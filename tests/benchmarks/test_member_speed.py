"""Members of a neural functional: trained in the same steps, against one after the other."""

import math

import numpy as np
import torch

import wslbench
from tests.baselines.made import load_baseline
from wslbench.typing import Context, TaskInfo

MEMBERS = 4


def test_training_four_members(against):
    """Three epochs on the measured models of ``digits-cnn``, a cell each."""
    zoo = wslbench.load_zoo("digits-cnn")
    models = zoo.models(zoo.table.query("measured").index)
    values = np.arange(float(len(models)))
    baseline, training = load_baseline("neural_functional"), load_baseline("neural_training")
    context = Context(
        TaskInfo("made.up", "accuracy_prediction", "made-up"), (), np.arange(len(models)), 0, "cpu", math.inf
    )
    parts = baseline.chains(models)
    together = baseline.padded(parts)
    graph = baseline.graph_of(together)
    graph = baseline.Scale(graph)(graph).to("cpu", torch.float32)
    objective = training.Objective(values[together.positions], context)
    settings = baseline.SETTINGS._replace(schedule=baseline.SETTINGS.schedule._replace(epochs=3))

    def fit(seeds):
        networks = torch.nn.ModuleDict(
            {"chain": baseline.joined([baseline.Functional(graph, 1, settings) for _ in seeds])}
        )

        def forward(rows):
            return baseline.outputs_at(rows, {"chain": graph}, networks, 1, settings.thinning)

        baseline.train_members(networks, forward, objective, context, seeds, settings.schedule)

    against(lambda: fit(range(MEMBERS)), lambda: [fit([seed]) for seed in range(MEMBERS)], rounds=3)
