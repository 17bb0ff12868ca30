"""Several eigenvalues and the spectral density, against the exact spectrum of small networks."""

import numpy as np
import pytest
import torch

from tests.landscape.hessian.problems import EVERYTHING, SIZE, exact_hessian, small_networks
from tests.training.problems import classification
from wslbench.errors import LandscapeError
from wslbench.landscape.hessian import hessian_product, lanczos, spectral_density, top_eigenvalue, top_eigenvalues

SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def problem():
    stack, inputs, labels, exact = small_networks()
    spectra = [torch.linalg.eigvalsh(hessian).numpy() for hessian in exact]
    return stack, classification(inputs, labels), spectra


def by_modulus(spectrum, count):
    return spectrum[np.argsort(-np.abs(spectrum))][:count]


def test_several_eigenvalues_are_those_of_largest_modulus(problem):
    stack, objective, spectra = problem
    found = top_eigenvalues(stack, objective, EVERYTHING, SEEDS, count=4, iterations=90, relative_tolerance=1e-5)
    for row in range(SIZE):
        assert found.eigenvalue[row] == pytest.approx(by_modulus(spectra[row], 4), rel=1e-3)
        for value, residual in zip(found.eigenvalue[row], found.residual[row], strict=True):
            assert np.abs(spectra[row] - value).min() <= residual + 1e-4


def test_groups_of_bounded_memory_change_nothing(problem, monkeypatch):
    stack, objective, _ = problem
    together = top_eigenvalues(stack, objective, EVERYTHING, SEEDS, count=2, iterations=30)
    monkeypatch.setattr(lanczos, "BASIS_BYTES", 1)
    alone = top_eigenvalues(stack, objective, EVERYTHING, SEEDS, count=2, iterations=30)
    assert np.allclose(together.eigenvalue, alone.eigenvalue, rtol=1e-5)


def test_too_many_eigenvalues_are_refused(problem):
    stack, objective, _ = problem
    with pytest.raises(LandscapeError, match="30 eigenvalues asked for"):
        top_eigenvalues(stack, objective, EVERYTHING, SEEDS, count=30, iterations=20)


def test_the_test_side_is_that_of_the_test_samples(problem):
    """Hessians on three held-out images are those of a network that has only these."""
    stack, objective, _ = problem
    some = np.arange(3)
    images = objective.test_images.clean(some)
    labels = objective.test_labels[:3]
    found = top_eigenvalue(stack, objective, some, SEEDS, iterations=60, relative_tolerance=1e-5, side="test")
    for row in range(SIZE):
        spectrum = torch.linalg.eigvalsh(exact_hessian(stack, row, images, labels)).numpy()
        assert found.eigenvalue[row] == pytest.approx(by_modulus(spectrum, 1)[0], rel=1e-3)


def test_batch_statistics_depend_on_the_weights(problem):
    stack, objective, _ = problem
    images, labels = objective.train_images.clean(EVERYTHING), objective.train_labels[EVERYTHING]
    generator = torch.Generator().manual_seed(3)
    vector = {name: torch.randn(tensor.shape, generator=generator) for name, tensor in stack.parameters.items()}
    image = hessian_product(stack, objective, EVERYTHING, batch_norm="batch")(vector)
    for row in range(SIZE):
        exact = exact_hessian(stack, row, images, labels, train_mode=True)
        flat = torch.cat([vector[name][row].flatten() for name in vector]).double()
        found = torch.cat([image[name][row].flatten() for name in vector]).double()
        assert torch.allclose(exact @ flat, found, atol=1e-4)


def test_as_many_steps_as_parameters_give_the_whole_spectrum(problem):
    stack, objective, spectra = problem
    parameters = len(spectra[0])
    found = spectral_density(stack, objective, EVERYTHING, SEEDS, probes=1, iterations=10 * parameters)
    assert found.nodes.shape == (SIZE, 1, parameters)
    for row in range(SIZE):
        assert found.nodes[row, 0] == pytest.approx(spectra[row], abs=1e-4)


def test_moments_are_those_of_the_spectrum(problem):
    stack, objective, spectra = problem
    found = spectral_density(stack, objective, EVERYTHING, SEEDS, probes=40, iterations=8)
    assert found.weights.sum(2) == pytest.approx(1.0)
    for order in (1, 2, 3):
        mean, error = found.moment(order)
        truth = np.array([(spectrum**order).mean() for spectrum in spectra])
        assert (np.abs(mean - truth) < 4 * error).all()
        assert (error < np.abs(truth)).all()


def test_the_distribution_of_eigenvalues(problem):
    stack, objective, spectra = problem
    found = spectral_density(stack, objective, EVERYTHING, SEEDS, probes=20, iterations=60)
    for row, spectrum in enumerate(spectra):
        for threshold in (*np.quantile(spectrum, [0.02, 0.98]), -0.01, 0.01):
            assert found.below(threshold)[row] == pytest.approx((spectrum < threshold).mean(), abs=0.1)
    edges = np.array([spectrum[[0, -1]] for spectrum in spectra])
    grid = np.linspace(edges.min() - 1, edges.max() + 1, 4001)
    density = found.on_grid(grid, width=0.05)
    assert np.trapezoid(density, grid, axis=1) == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(LandscapeError, match="above 0"):
        found.on_grid(grid, width=0.0)


def test_a_networks_density_does_not_depend_on_its_company_and_diverged_ones_have_none(problem):
    stack, objective, _ = problem
    broken = stack.select([0, 1, 2])
    next(iter(broken.parameters.values()))[1] = torch.nan
    found = spectral_density(broken, objective, EVERYTHING, SEEDS, probes=2, iterations=10)
    assert np.isnan(found.nodes[1]).all()
    assert np.isnan(found.below(0.0)[1])
    alone = spectral_density(stack.select([2]), objective, EVERYTHING, [2], probes=2, iterations=10)
    assert np.allclose(alone.nodes[0], found.nodes[2], atol=1e-4)
    with pytest.raises(LandscapeError, match="at least 1 probe"):
        spectral_density(stack, objective, EVERYTHING, SEEDS, probes=0)
