"""The graph encoder does not see the order of hidden units, reads any width, and learns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.nn.aggr import DegreeScalerAggregation
from torch_geometric.utils import degree

from tests.architectures.cases import CASES
from tests.baselines.made import load_baseline
from tests.encodings.test_graphs import random_models
from wslbench import Models, symmetry
from wslbench.architectures import Architecture
from wslbench.evaluation.synthetic import synthetic_unit
from wslbench.evaluation.unit import Unit
from wslbench.typing import Context

encoder = load_baseline("graph_encoder")
PHASES, VALUES = (synthetic_unit(kind, "made up") for kind in ("phase_classification", "accuracy_prediction"))


def trained_for(epochs: int) -> Any:
    settings = encoder.Settings()
    return settings._replace(schedule=settings.schedule._replace(epochs=epochs))


def fitted(unit: Unit, seed: int = 0, epochs: int = 3) -> Any:
    return fitted_with(unit, trained_for(epochs), seed)


def fitted_with(unit: Unit, settings: Any, seed: int = 0) -> Any:
    method = encoder.GraphEncoder(settings)
    cells = np.unique(unit.train.cells, return_inverse=True)[1]
    context = Context(unit.task, unit.classes, cells, seed, "cpu", math.inf)
    target = np.array(unit.classes)[unit.target] if unit.classes else unit.target
    method.fit(unit.train.models, target, context)
    return method


@pytest.fixture(scope="module")
def method() -> Any:
    return fitted(VALUES)


def test_hidden_units_have_no_order(method: Any) -> None:
    models = VALUES.test.models
    expected = method.predict(models)
    permuted = method.predict(symmetry.disguise(models, seed=1, scaling=False))
    np.testing.assert_allclose(permuted, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert np.abs(method.predict(symmetry.disguise(models, seed=1, permutation=False)) - expected).max() > 1e-3


def test_a_prediction_depends_on_its_own_model_alone(method: Any) -> None:
    models = VALUES.test.models
    together = method.predict(models)
    chunk = np.array([40, 3, 17])
    np.testing.assert_allclose(method.predict(models[chunk]), together[chunk], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(method.predict(models[[11]])[0], together[11], rtol=1e-4, atol=1e-6)


def test_the_same_seed_gives_the_same_predictions(method: Any) -> None:
    models = VALUES.test.models[:20]
    np.testing.assert_array_equal(fitted(VALUES).predict(models), method.predict(models))
    assert (fitted(VALUES, seed=1).predict(models) != method.predict(models)).any()


def test_it_learns_from_cells_that_it_never_saw() -> None:
    method = fitted(PHASES, epochs=20)
    hits = method.predict(PHASES.test.models).argmax(1) == fitted_codes(PHASES)
    assert hits.mean() > 0.6  # one in five is chance
    assert method.history.kept == int(np.argmin(method.history.losses))
    assert method.parameters > 1000


def fitted_codes(unit: Unit) -> np.ndarray:
    """The level that made each test model: cells go round the phases."""
    return np.array([int(cell.rpartition("-")[2]) % 5 for cell in unit.test.cells])


def test_other_widths_are_read(method: Any) -> None:
    wider = synthetic_unit("accuracy_prediction", "wider", test_widths=(5,)).test.models
    assert np.isfinite(method.predict(wider)).all()


def test_networks_of_another_builder_are_read(method: Any) -> None:
    """On ``new-zoo``; kernels may be smaller or larger than those that were learned from."""
    for name in ("mlp", "cnn_modelzoo 28"):
        models = random_models(CASES[name].architecture, count=3)
        prediction = method.predict(models)
        assert np.isfinite(prediction).all()
        permuted = method.predict(symmetry.disguise(models, seed=1, scaling=False))
        np.testing.assert_allclose(permuted, prediction, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_builder_is_taken(case: Any) -> None:
    assert encoder.GraphEncoder().supports(case.architecture) is None
    models: Models = random_models(case.architecture, count=4)
    unit = VALUES
    method = encoder.GraphEncoder(trained_for(1))
    context = Context(unit.task, (), np.arange(4), 0, "cpu", math.inf)
    method.fit(models, np.arange(4.0), context)
    prediction = method.predict(models)
    assert prediction.shape == (4,)
    assert np.isfinite(prediction).all()
    permuted = method.predict(symmetry.disguise(models, seed=1, scaling=False))
    np.testing.assert_allclose(permuted, prediction, rtol=1e-3, atol=1e-4)


def test_networks_of_tensors_alone_are_declined() -> None:
    """As imported with nothing said of them: nobody knows which of their units are connected."""
    reason = encoder.GraphEncoder().supports(Architecture(builder="tensors", arguments={"fc.weight": [3, 2]}))
    assert reason.startswith("tensors networks have no neural graph: ")
    assert "do not say which inputs they take" in reason


def test_large_graphs_are_seen_in_fewer_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "FEWEST_EPOCHS", 2)
    settings = trained_for(5)
    assert len(fitted_with(VALUES, settings).history.losses) == 5
    assert len(fitted_with(VALUES, settings._replace(edges=1)).history.losses) == 2


def test_squashed_numbers_are_in_units_of_their_spread() -> None:
    example = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 50.0])
    standardised = encoder.Standardised(example)
    found = standardised(example)
    assert found.shape == (1000, standardised.columns)
    torch.testing.assert_close(found[:, :2].mean(0), torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(found[:, :2].std(0), torch.ones(2), atol=0.05, rtol=0)
    assert torch.isfinite(standardised(torch.tensor([[1e30, -1e30]]))).all()


def test_messages_are_gathered_as_by_the_library_with_the_same_gradients() -> None:
    """PyTorch Geometric's PNA, which is slower; nodes 3 and 7 have no message, node 5 has one."""
    random = torch.Generator().manual_seed(0)
    ends = torch.tensor([0, 1, 2, 4, 6, 8])[torch.randint(6, (60,), generator=random)].sort().values
    ends = torch.cat([ends, torch.tensor([5])]).sort().values
    messages = torch.randn(61, 4, generator=random, dtype=torch.float64, requires_grad=True)
    counts = degree(ends, 9, dtype=torch.long)
    library = DegreeScalerAggregation(
        ["mean", "max", "std"], ["identity", "amplification", "attenuation"], torch.bincount(counts)
    ).double()
    typical = float(counts.double().log1p().mean())
    expected, found = library(messages, ends, dim_size=9), encoder.gathered(messages, ends, 9, typical)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    weights = torch.randn(found.shape, generator=random, dtype=torch.float64)
    gradients = [torch.autograd.grad((values * weights).sum(), messages)[0] for values in (expected, found)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-7)
