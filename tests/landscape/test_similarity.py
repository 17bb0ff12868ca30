"""Linear CKA: invariances, extremes, and the kernel formulation as an independent reference."""

import pytest
import torch

from wslbench.landscape.similarity import linear_cka


def by_kernels(x, y):
    """CKA as normalised HSIC of linear kernels (Kornblith et al. 2019, eq. 3 and 4)."""
    n = len(x)
    centre = torch.eye(n, dtype=torch.float64) - 1 / n
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return ((k * m).sum() / (k.norm() * m.norm())).item()


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(2, 40, 6, dtype=torch.float64, generator=generator) + 3.0).unbind(0)


def test_equals_the_kernel_form(pair):
    x, y = pair
    assert linear_cka(x[None], y[None]).item() == pytest.approx(by_kernels(x, y))


def test_one_for_itself_and_under_rotation_scale_and_shift(pair):
    x, _ = pair
    rotation = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
    assert linear_cka(x[None], x[None]).item() == pytest.approx(1.0)
    assert linear_cka(x[None], (3 * x @ rotation + 5)[None]).item() == pytest.approx(1.0)


def test_constant_representation_has_none(pair):
    x, _ = pair
    assert linear_cka(x[None], torch.ones(1, 40, 6)).isnan().all()
