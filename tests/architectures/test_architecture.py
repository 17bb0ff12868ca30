"""Architectures by name: every builder builds, counts its parameters, and refuses what it cannot build."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from tests.architectures.cases import CASES, Case, architecture
from wslbench.architectures import BUILDERS, Architecture
from wslbench.errors import ArchitectureError

VIT = {"dim": 8, "depth": 1, "heads": 2}
GPT = {"dim": 8, "depth": 1, "heads": 2}
MLP = {"in_features": 2, "hidden": [4], "out_features": 1}


def test_every_builder_is_tested() -> None:
    assert {case.architecture.builder for case in CASES.values()} == set(BUILDERS)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_parameters_are_counted_as_built(case: Case) -> None:
    assert case.architecture.parameters() == sum(p.numel() for p in case.architecture.module().parameters())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_counting_parameters_draws_no_random_numbers(case: Case) -> None:
    torch.manual_seed(3)
    expected = torch.rand(())
    torch.manual_seed(3)
    case.architecture.parameters()
    assert torch.rand(()) == expected


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_seed_gives_one_network(case: Case) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(case.architecture.module().state_dict())
    assert all(torch.equal(states[0][name], tensor) for name, tensor in states[1].items())
    assert not all(torch.equal(states[0][name], tensor) for name, tensor in states[2].items())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_architecture_survives_json(case: Case) -> None:
    text = case.architecture.model_dump_json()
    again = Architecture.model_validate_json(text)
    assert again.model_dump_json() == text
    assert list(again.module().state_dict()) == list(case.architecture.module().state_dict())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_state_holds_parameters_and_batch_norm_statistics_only(case: Case) -> None:
    network = case.architecture.module()
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert all(name.endswith(statistics) for name, _ in network.named_buffers())
    assert set(network.state_dict()) == {name for name, _ in [*network.named_parameters(), *network.named_buffers()]}


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        ("perceptron", {}, "unknown architecture 'perceptron'.*cnn_modelzoo, gpt, mlp"),
        ("cnn", {"width": 0}, "width must be an integer of at least 1, not 0"),
        ("cnn", {"width": 2, "image_size": -8}, "image_size .* not -8"),
        ("cnn", {"width": 2, "depth": 3}, "unexpected keyword argument 'depth'"),
        ("mlp", MLP | {"hidden": []}, r"hidden must list .* not \[\]"),
        ("mlp", MLP | {"hidden": 4}, "hidden must list .* not 4"),
        ("mlp", MLP | {"hidden": "44"}, "hidden must list .* not '44'"),
        ("mlp", MLP | {"hidden": [4, 0]}, r"hidden\[1\] .* not 0"),
        ("mlp", MLP | {"in_features": 0}, "in_features .* not 0"),
        ("mlp", MLP | {"out_features": -1}, "out_features .* not -1"),
        ("mlp", MLP | {"activation": "sine"}, "activation must be one of tanh, relu, .* not 'sine'"),
        ("mlp", MLP | {"initialisation": "zeros"}, "initialisation must be one of torch, xavier, not 'zeros'"),
        ("cnn_modelzoo", {"image_size": 30}, "image_size must be one of 28, 32, not 30"),
        ("cnn_modelzoo", {"image_size": 28, "in_channels": 0}, "in_channels .* not 0"),
        ("cnn_modelzoo", {"image_size": 28, "classes": 2.5}, "classes .* not 2.5"),
        ("cnn_modelzoo", {"image_size": 28, "activation": "elu"}, "activation .* not 'elu'"),
        ("cnn_modelzoo", {"image_size": 28, "dropout": 1.0}, "dropout must be a number .* not 1.0"),
        ("cnn_modelzoo", {"image_size": 28, "dropout": -0.1}, "dropout .* not -0.1"),
        ("cnn_modelzoo", {"image_size": 28, "dropout": False}, "dropout .* not False"),
        ("cnn_modelzoo", {"image_size": 28, "dropout": "none"}, "dropout .* not 'none'"),
        ("resnet18", {"width": 0}, "width .* not 0"),
        ("resnet18", {"width": True}, "width .* not True"),
        ("resnet18", {}, "width"),
        ("resnet50", {"width": 2, "classes": 0}, "classes .* not 0"),
        ("resnet50", {"width": 2, "in_channels": -3}, "in_channels .* not -3"),
        ("vit", VIT | {"heads": 3}, "heads must divide dim, but 3 does not divide 8"),
        ("vit", VIT | {"heads": 0}, "heads .* not 0"),
        ("vit", VIT | {"patch_size": 5}, "patch_size must divide image_size, but 5 does not divide 32"),
        ("vit", VIT | {"depth": 0}, "depth .* not 0"),
        ("vit", VIT | {"mlp_ratio": 0.1}, "mlp_ratio must leave a hidden unit, but 0.1 of dim 8"),
        ("vit", VIT | {"mlp_ratio": -1}, "mlp_ratio must be a number .* not -1"),
        ("vit", VIT | {"mlp_ratio": math.inf}, "mlp_ratio .* not inf"),
        ("vit", VIT | {"mlp_ratio": "4"}, "mlp_ratio .* not '4'"),
        ("gpt", GPT | {"heads": 5}, "heads must divide dim, but 5 does not divide 8"),
        ("gpt", GPT | {"context": 0}, "context .* not 0"),
        ("gpt", GPT | {"vocabulary": 0}, "vocabulary .* not 0"),
        ("gpt", GPT | {"dim": -8}, "dim .* not -8"),
    ],
)
def test_what_cannot_be_built_is_refused_by_argument_and_value(builder: str, arguments: dict, message: str) -> None:
    described = architecture(builder, **arguments)
    with pytest.raises(ArchitectureError, match=message):
        described.module()
    with pytest.raises(ArchitectureError, match=message):
        described.parameters()


def test_importing_the_package_does_not_load_torch() -> None:
    script = "import sys, wslbench.architectures; print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"
