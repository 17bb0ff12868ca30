"""Hessian estimates against the exact Hessian, by autograd on a small network."""

import numpy as np
import pytest
import torch

from tests.landscape.hessian.problems import EVERYTHING, SIZE, small_networks
from tests.training.problems import classification
from wslbench.landscape.hessian import hessian_product, hessian_trace, top_eigenvalue
from wslbench.landscape.hessian.product import KeptGradient


@pytest.fixture(scope="module")
def problem():
    return small_networks()


def test_products_are_exact(problem):
    stack, inputs, labels, exact = problem
    generator = torch.Generator().manual_seed(5)
    vector = {n: torch.randn(t.shape, generator=generator) for n, t in stack.parameters.items()}
    product = hessian_product(stack, classification(inputs, labels), EVERYTHING)(vector)
    for row in range(SIZE):
        flat = torch.cat([vector[n][row].flatten() for n in vector]).double()
        image = torch.cat([product[n][row].flatten() for n in vector]).double()
        assert torch.allclose(exact[row] @ flat, image, atol=1e-5)


def test_products_stay_exact_as_networks_fall_away(problem):
    stack, inputs, labels, exact = problem
    product = KeptGradient(stack, classification(inputs, labels), EVERYTHING, "train", "running")
    rows = np.arange(SIZE)
    for wanted in ([True] * SIZE, [False] + [True] * (SIZE - 1), [False] * (SIZE - 2) + [True]):
        product.keep(np.array(wanted))  # none; one, carried along; all but one, which is built anew
        rows = rows[wanted]
        generator = torch.Generator().manual_seed(5)
        vector = {n: torch.randn(t[rows].shape, generator=generator) for n, t in stack.parameters.items()}
        image = product(vector)
        for position, row in enumerate(rows):
            flat = torch.cat([vector[n][position].flatten() for n in vector]).double()
            found = torch.cat([image[n][position].flatten() for n in vector]).double()
            assert torch.allclose(exact[row] @ flat, found, atol=1e-5)


def test_trace_is_within_its_standard_error(problem):
    stack, inputs, labels, exact = problem
    estimate = hessian_trace(
        stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2], relative_tolerance=0.02, maximum_probes=512
    )
    truth = np.array([h.trace() for h in exact])
    assert (estimate.probes > 8).all()
    assert (np.abs(estimate.trace - truth) < 4 * estimate.standard_error).all()
    assert np.allclose(estimate.trace, truth, rtol=0.15)


def test_trace_stops_on_the_standard_error_not_on_the_first_sign(problem):
    stack, inputs, labels, _ = problem
    loose = hessian_trace(stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2], relative_tolerance=10.0)
    assert loose.probes.tolist() == [8, 8, 8]
    spent = hessian_trace(
        stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2], relative_tolerance=1e-6, maximum_probes=20
    )
    assert spent.probes.tolist() == [20, 20, 20]
    assert (spent.standard_error > 0).all()


def test_top_eigenvalue_is_the_one_of_largest_modulus(problem):
    stack, inputs, labels, exact = problem
    estimate = top_eigenvalue(
        stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2], iterations=60, relative_tolerance=1e-4
    )
    for row in range(SIZE):
        values = torch.linalg.eigvalsh(exact[row])
        truth = values[values.abs().argmax()].item()
        assert estimate.eigenvalue[row] == pytest.approx(truth, rel=1e-3)
        assert estimate.residual[row] <= 1e-3 * abs(truth)


def test_residual_bounds_the_distance_to_an_eigenvalue(problem):
    stack, inputs, labels, exact = problem
    early = top_eigenvalue(
        stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2], iterations=4, relative_tolerance=0.0
    )
    for row in range(SIZE):
        distance = (torch.linalg.eigvalsh(exact[row]) - early.eigenvalue[row]).abs().min().item()
        assert distance <= early.residual[row] + 1e-5


def test_a_network_does_not_depend_on_its_company(problem):
    stack, inputs, labels, _ = problem
    together = hessian_trace(stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2])
    alone = hessian_trace(stack.select([2]), classification(inputs, labels), EVERYTHING, seeds=[2])
    assert together.trace[2] == pytest.approx(alone.trace[0], rel=1e-4)
    assert together.probes[2] == alone.probes[0]
    first = top_eigenvalue(stack, classification(inputs, labels), EVERYTHING, seeds=[0, 1, 2])
    second = top_eigenvalue(stack.select([2]), classification(inputs, labels), EVERYTHING, seeds=[2])
    assert first.eigenvalue[2] == pytest.approx(second.eigenvalue[0], rel=1e-3)


def test_a_diverged_network_is_flagged_and_stops_no_other(problem):
    stack, inputs, labels, exact = problem
    broken = stack.select([0, 1])
    broken.parameters["fc.weight"][0] = float("nan")
    trace = hessian_trace(broken, classification(inputs, labels), EVERYTHING, seeds=[0, 1])
    top = top_eigenvalue(broken, classification(inputs, labels), EVERYTHING, seeds=[0, 1])
    assert np.isnan(trace.trace).tolist() == [True, False]
    assert np.isnan(top.eigenvalue).tolist() == [True, False]
    assert trace.trace[1] == pytest.approx(exact[1].trace().item(), rel=0.5)
