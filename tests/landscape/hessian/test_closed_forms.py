"""Hessians that are known on paper: a quadratic, and linear softmax regression."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.problems import classification
from wslbench.landscape.hessian import hessian_trace, spectral_density, top_eigenvalues
from wslbench.training import ModelStack
from wslbench.training.objectives._objective import CleanBatch


class Linear:
    """An architecture of one linear layer, 6 numbers to 3."""

    builder = "linear"

    def module(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(6, 3))

    def example_input(self, batch):
        return torch.zeros(batch, 1, 2, 3)


LINEAR = Linear()
SEEDS = [0, 1]


class Quadratic:
    """``½ w' A w`` of all parameters ``w``, with ``A`` diagonal, whatever the data."""

    train_size = test_size = 1

    def __init__(self, diagonal):
        self.diagonal = diagonal

    def select(self, rows):
        return self

    def clean(self, rows, side="train"):
        return CleanBatch((torch.zeros(1, 6),), (None,), 1)

    def loss(self, network, *batch):
        # A linear network's outputs at the unit vectors and at 0 are its parameters.
        outputs = network(torch.cat([torch.eye(6), torch.zeros(1, 6)]))
        bias = outputs[-1]
        weight = (outputs[:-1] - bias).T
        flat = torch.cat([weight.flatten(), bias])
        return (self.diagonal * flat**2).sum() / 2


def test_a_quadratic_with_repeated_eigenvalues_of_both_signs():
    diagonal = torch.tensor([-5.0] * 2 + [3.0] * 3 + [1.0] * 10 + [0.0] * 6)
    stack = ModelStack.initialise(LINEAR, SEEDS)
    quadratic, samples = Quadratic(diagonal), np.array([0])
    found = top_eigenvalues(stack, quadratic, samples, SEEDS, count=5, iterations=21, relative_tolerance=1e-9)
    assert found.eigenvalue == pytest.approx(np.array([[-5, -5, 3, 3, 3]] * 2), abs=1e-4)
    assert found.residual == pytest.approx(0, abs=1e-3)
    # Signs square to 1: one probe is exact for a diagonal matrix, and the standard error says so.
    trace = hessian_trace(stack, quadratic, samples, SEEDS)
    assert trace.trace == pytest.approx(9.0, abs=1e-4)
    assert trace.standard_error == pytest.approx(0, abs=1e-4)
    assert trace.probes.tolist() == [8, 8]
    density = spectral_density(stack, quadratic, samples, SEEDS, probes=300, iterations=6)
    assert density.below(-1.0) == pytest.approx(2 / 21, abs=0.03)
    assert density.below(-1e-3) == pytest.approx(2 / 21, abs=0.03)
    assert 1 - density.below(0.5) == pytest.approx(13 / 21, abs=0.04)


def test_a_zero_hessian_has_zero_eigenvalues():
    stack = ModelStack.initialise(LINEAR, SEEDS)
    flat = Quadratic(torch.zeros(21))
    found = top_eigenvalues(stack, flat, np.array([0]), SEEDS, count=3, iterations=10)
    assert found.eigenvalue == pytest.approx(0, abs=1e-6)
    assert found.residual == pytest.approx(0, abs=1e-6)


def test_rules_of_published_codes_end_on_a_negative_mean():
    """``signed`` takes a negative running mean for convergence at its second probe, ``change`` waits for agreement."""
    stack = ModelStack.initialise(LINEAR, SEEDS)

    class Turned(Quadratic):
        def loss(self, network, *batch):
            outputs = network(torch.cat([torch.eye(6), torch.zeros(1, 6)]))
            flat = torch.cat([(outputs[:-1] - outputs[-1]).T.flatten(), outputs[-1]])
            return flat @ self.diagonal @ flat / 2

    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(21, 21, generator=generator)
    matrix = (matrix + matrix.T) / 2 - 6 * torch.eye(21)
    arguments = {"relative_tolerance": 1e-5, "minimum_probes": 1, "maximum_probes": 30}
    signed = hessian_trace(stack, Turned(matrix), np.array([0]), SEEDS, stop_on="signed", **arguments)
    change = hessian_trace(stack, Turned(matrix), np.array([0]), SEEDS, stop_on="change", **arguments)
    assert signed.probes.tolist() == [2, 2]
    assert (change.probes > 2).all()
    ours = hessian_trace(stack, Turned(matrix), np.array([0]), SEEDS, relative_tolerance=0.02, maximum_probes=400)
    assert (np.abs(ours.trace - matrix.trace().item()) < 4 * ours.standard_error).all()


def test_softmax_regression():
    """The Hessian of a linear network's cross-entropy is the mean of ``(diag p − p p') ⊗ x x'``, x with a 1 added."""
    generator = torch.Generator().manual_seed(1)
    inputs, labels = torch.randn(40, 1, 2, 3, generator=generator), torch.randint(0, 3, (40,), generator=generator)
    stack = ModelStack.initialise(LINEAR, SEEDS)
    found = top_eigenvalues(
        stack, classification(inputs, labels), np.arange(40), SEEDS, count=3, iterations=21, relative_tolerance=1e-7
    )
    for row in range(2):
        network = LINEAR.module()
        network.load_state_dict({name: tensor[row] for name, tensor in stack.parameters.items()})
        flat = inputs.flatten(1).double()
        probabilities = network(inputs.flatten(1)).softmax(1).detach().double()
        extended = torch.cat([flat, torch.ones(40, 1, dtype=torch.float64)], dim=1)
        hessian = sum(
            torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(x, x))
            for p, x in zip(probabilities, extended, strict=True)
        )
        spectrum = torch.linalg.eigvalsh(hessian / 40).flip(0)[:3].numpy()
        assert found.eigenvalue[row] == pytest.approx(spectrum, rel=1e-3)
