"""Networks of a stack end where those of the plain loop end: the same distribution, from other random numbers."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, mannwhitneyu
from torch.nn.functional import cross_entropy

from tests.training.problems import classification, settings
from wslbench.architectures import Architecture
from wslbench.datasets import load_dataset
from wslbench.training import ModelStack, Optimisation, reestimate_batch_norm, train_stack

ARCHITECTURE = Architecture(builder="cnn", arguments={"width": 3})
NETWORKS, IMAGES, EPOCHS, BATCH = 40, 300, 6, 20


def stacked(inputs, labels):
    stack = ModelStack.initialise(ARCHITECTURE, list(range(NETWORKS)))
    own = settings([0.03] * NETWORKS, list(range(NETWORKS)))
    objective = classification(inputs, labels)
    result = train_stack(stack, objective, Optimisation(epochs=EPOCHS, batch_size=BATCH), own, [EPOCHS])
    return objective.measure(reestimate_batch_norm(result.checkpoints[EPOCHS], inputs))


def plain(inputs, labels):
    """As anybody would write it, seeds and orders torch's own."""
    losses, accuracies = [], []
    for seed in range(NETWORKS):
        torch.manual_seed(10_000 + seed)
        network = ARCHITECTURE.module().train()
        optimiser = torch.optim.SGD(network.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-4)
        for _ in range(EPOCHS):
            for index in torch.randperm(len(labels)).split(BATCH):
                optimiser.zero_grad()
                cross_entropy(network(inputs[index]), labels[index]).backward()
                optimiser.step()
        for layer in (network.bn1, network.bn2, network.bn3):
            layer.reset_running_stats()
            layer.momentum = None
        with torch.no_grad():
            for batch in inputs.split(100):
                network(batch)
            logits = network.eval()(inputs)
        losses.append(cross_entropy(logits, labels).item())
        accuracies.append((logits.argmax(1) == labels).double().mean().item())
    return np.array(losses), np.array(accuracies)


@pytest.mark.slow
def test_losses_and_accuracies_at_the_end_are_of_one_distribution():
    data = load_dataset("digits")
    inputs, labels = torch.from_numpy(data.train_inputs[:IMAGES]), torch.from_numpy(data.train_labels[:IMAGES])
    ours, (losses, accuracies) = stacked(inputs, labels), plain(inputs, labels)
    assert ks_2samp(ours["train_loss"], losses).pvalue > 0.05
    assert mannwhitneyu(ours["train_accuracy"], accuracies).pvalue > 0.05
    # The test can fail: one epoch less is told apart.
    spread = losses.std(ddof=1) / NETWORKS**0.5
    assert abs(ours["train_loss"].mean() - losses.mean()) < 4 * spread
    assert losses.mean() < 1.0
