"""Hessians of residual networks against curvlinops, an implementation of others."""

import curvlinops
import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh
from torch import nn

from tests.training.problems import classification
from wslbench.architectures import Architecture
from wslbench.landscape.hessian import hessian_product, hessian_trace, top_eigenvalues
from wslbench.training import ModelStack, reestimate_batch_norm

SAMPLES = np.arange(4, 20)


@pytest.fixture(scope="module")
def problem():
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(24, 3, 8, 8, generator=generator), torch.randint(0, 10, (24,), generator=generator)
    architecture = Architecture(builder="resnet18", arguments={"width": 1})
    stack = reestimate_batch_norm(ModelStack.initialise(architecture, [1, 2]), inputs)
    operators = []
    for row in range(2):
        network = architecture.module().eval()
        tensors = stack.parameters | stack.statistics
        network.load_state_dict({name: tensor[row] for name, tensor in tensors.items()}, strict=False)
        parameters = [dict(network.named_parameters())[name] for name in stack.parameters]
        halves = [(inputs[part], labels[part]) for part in (SAMPLES[:8], SAMPLES[8:])]
        operators.append(curvlinops.HessianLinearOperator(network, nn.CrossEntropyLoss(), parameters, halves))
    return stack, classification(inputs, labels), operators


def test_products(problem):
    stack, objective, operators = problem
    generator = torch.Generator().manual_seed(5)
    vector = {name: torch.randn(tensor.shape, generator=generator) for name, tensor in stack.parameters.items()}
    found = hessian_product(stack, objective, SAMPLES)(vector)
    for row, operator in enumerate(operators):
        flat = torch.cat([vector[name][row].flatten() for name in vector])
        expected = operator @ flat
        image = torch.cat([found[name][row].flatten() for name in vector])
        assert torch.allclose(image, expected, atol=1e-3 * expected.abs().max().item())


@pytest.mark.slow
def test_top_eigenvalues(problem):
    stack, objective, operators = problem
    found = top_eigenvalues(stack, objective, SAMPLES, [0, 1], count=2, iterations=60, relative_tolerance=1e-4)
    for row, operator in enumerate(operators):
        expected = eigsh(operator.to_scipy(), k=2, which="LM", return_eigenvectors=False, tol=1e-5)
        assert sorted(found.eigenvalue[row]) == pytest.approx(sorted(expected), rel=1e-2)


def test_trace(problem):
    """Both are estimates: theirs from as many probes."""
    stack, objective, operators = problem
    ours = hessian_trace(stack, objective, SAMPLES, [0, 1], relative_tolerance=1e-9, maximum_probes=60)
    torch.manual_seed(0)
    for row, operator in enumerate(operators):
        theirs = curvlinops.hutchinson_trace(operator, 60, distribution="rademacher").item()
        assert abs(ours.trace[row] - theirs) < 4 * np.sqrt(2) * ours.standard_error[row]
