"""The points of the convection equation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wslbench.datasets import ConvectionDataset, load_dataset
from wslbench.errors import DatasetError


def convection(**arguments: int) -> ConvectionDataset:
    data = load_dataset("convection", **arguments)
    assert isinstance(data, ConvectionDataset)
    return data


def test_points_lie_in_the_domain_and_are_float32() -> None:
    data = convection()
    assert data.interior.shape == (1024, 2)
    assert data.initial.shape == data.boundary.shape == (256,)
    for array in (data.interior, data.initial, data.boundary, data.grid):
        assert array.dtype == np.float32
    for x in (data.interior[:, 0], data.initial):
        assert x.min() >= 0
        assert 2 * np.pi * 0.95 < x.max() <= 2 * np.pi
    for t in (data.interior[:, 1], data.boundary):
        assert t.min() >= 0
        assert 0.95 < t.max() <= 1


def test_the_grid_is_uniform_without_the_repeated_end_of_x() -> None:
    grid = convection().grid.reshape(128, 50, 2)
    np.testing.assert_allclose(grid[:, 7, 0], [2 * np.pi * i / 128 for i in range(128)], rtol=1e-6)
    np.testing.assert_allclose(grid[5, :, 1], [j / 49 for j in range(50)], rtol=1e-6)


def test_points_are_the_same_always_and_numbers_do_not_mix() -> None:
    few, many = convection(interior=10), convection(interior=20, initial=5)
    np.testing.assert_array_equal(few.interior, many.interior[:10])
    np.testing.assert_array_equal(few.initial[:5], many.initial)
    np.testing.assert_array_equal(few.boundary, many.boundary)
    # The first numbers of numpy's PCG64 for this seed: points must not change between versions.
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence([250418072, 0]))).random(2)
    np.testing.assert_allclose(few.interior[0], expected * [2 * np.pi, 1], rtol=1e-6)


def test_the_solution_solves_the_equation_with_its_initial_and_boundary_values() -> None:
    beta = 3.0
    point = torch.tensor([[1.3, 0.4], [0.0, 0.7]], dtype=torch.float64, requires_grad=True)
    u = ConvectionDataset.solution(point, beta)
    (gradient,) = torch.autograd.grad(u.sum(), point)
    assert (gradient[:, 1] + beta * gradient[:, 0]).abs().max() < 1e-12
    assert float(ConvectionDataset.solution(np.array([1.1, 0.0]), beta)) == pytest.approx(np.sin(1.1))
    ends = np.array([[0.0, 0.3], [2 * np.pi, 0.3]])
    left, right = ConvectionDataset.solution(ends, beta)
    assert left == pytest.approx(right)


def test_the_solution_takes_a_beta_a_network_and_keeps_kind_and_precision() -> None:
    grid, betas = convection().grid, np.array([[1.0], [30.0]], dtype=np.float32)
    values = ConvectionDataset.solution(grid, betas)
    assert values.shape == (2, 6400)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[1], [np.sin(x - 30 * t) for x, t in grid.astype(np.float64)], atol=1e-5)
    tensor = ConvectionDataset.solution(torch.from_numpy(grid), torch.from_numpy(betas))
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.numpy(), values, atol=1e-5)


@pytest.mark.parametrize("bad", [0, -3, 2.5, True, "many", 10**12])
def test_a_number_of_points_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(DatasetError, match="interior is a number of points"):
        load_dataset("convection", interior=bad)
