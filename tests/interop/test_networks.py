"""Architectures of imported networks: from a pattern, or none, and what can be done with those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.baselines.made import load_baseline
from tests.interop.controllers import OPTIONS, SHAPES, write_controllers
from wslbench.architectures import TENSORS, Architecture
from wslbench.encodings import from_tokens, statistics, tokens
from wslbench.errors import ArchitectureError, ZooFormatError
from wslbench.interop import import_zoo
from wslbench.interop.networks import described
from wslbench.zoo import Zoo, load_zoo


@pytest.fixture(scope="module")
def zoos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Zoo, Zoo]:
    """The same networks, with their architecture and without."""
    folder = tmp_path_factory.mktemp("networks")
    source = write_controllers(folder / "source")
    import_zoo(source, "state-dicts", folder / "known", OPTIONS)
    import_zoo(source, "state-dicts", folder / "unknown", replace(OPTIONS, architecture=None))
    return load_zoo(folder / "known"), load_zoo(folder / "unknown")


def test_without_an_architecture_weights_are_the_same(zoos: tuple[Zoo, Zoo]) -> None:
    known, unknown = zoos
    (network,) = unknown.card.architectures.values()
    assert network == Architecture(builder=TENSORS, arguments={name: list(shape) for name, shape in SHAPES.items()})
    for left, right in zip(known.models(), unknown.models(), strict=True):
        assert left.tensors().keys() == right.tensors().keys()
        assert all(np.array_equal(tensor, right.tensors()[name]) for name, tensor in left.tensors().items())
        assert all(torch.equal(tensor, right.state_dict()[name]) for name, tensor in left.state_dict().items())
        assert list(right.module().state_dict()) == list(SHAPES)


def test_statistics_and_tokens_do_not_need_an_architecture(zoos: tuple[Zoo, Zoo]) -> None:
    known, unknown = zoos
    pd.testing.assert_frame_equal(statistics(known.models()), statistics(unknown.models()))
    (network,) = unknown.card.architectures.values()
    left, right = tokens(known.models()), tokens(unknown.models())
    assert np.array_equal(left.values, right.values)
    again = from_tokens(right.values, network)
    assert all(np.array_equal(again[name][0], unknown.models()[0].tensors()[name]) for name in SHAPES)


@pytest.mark.parametrize(
    ("baseline", "method"),
    [
        ("hyper_representation", "HyperRepresentation"),
        ("neural_functional", "NeuralFunctional"),
        ("probing", "Probing"),
    ],
)
def test_methods_that_need_more_say_so(baseline: str, method: str, zoos: tuple[Zoo, Zoo]) -> None:
    (network,) = zoos[1].card.architectures.values()
    assert getattr(load_baseline(baseline), method)().supports(network)


def test_networks_without_a_function_compute_nothing() -> None:
    module = Architecture(builder=TENSORS, arguments={"type.weight": [2, 3], "type": [2], "scale": []}).module()
    assert {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()} == {
        "type": (2,),
        "scale": (),
        "type.weight": (2, 3),
    }
    module.load_state_dict(module.state_dict())
    with pytest.raises(ArchitectureError, match="nobody said"):
        module(torch.zeros(1))
    for name, shape in (("", [1]), ("a..b", [1]), ("a", 3), ("a", [0])):
        with pytest.raises(ArchitectureError):
            Architecture(builder=TENSORS, arguments={name: shape}).module()


def test_arguments_come_from_columns() -> None:
    pattern = Architecture(builder="mlp", arguments={"hidden": [4], "in_features": "@width", "activation": "@act"})
    table = pd.DataFrame({"width": [2.0, 3.0, 2.0], "act": ["relu", None, "relu"]})
    networks = described(pattern, table)
    assert networks.names == ["mlp-width2-actrelu", "mlp-width3", "mlp-width2-actrelu"]
    assert networks.architectures == {
        "mlp-width2-actrelu": Architecture(
            builder="mlp", arguments={"hidden": [4], "in_features": 2, "activation": "relu"}
        ),
        "mlp-width3": Architecture(builder="mlp", arguments={"hidden": [4], "in_features": 3}),
    }
    with pytest.raises(ZooFormatError, match="column 'depth', which there is not; there are width, act"):
        described(Architecture(builder="mlp", arguments={"hidden": "@depth"}), table)
