"""Generators give whole networks of the right phase, the same for a seed, and are what they say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.baselines.made import GENERATORS, load_baseline
from wslbench import Models, symmetry
from wslbench.evaluation.synthetic import synthetic_generation_unit, synthetic_unit
from wslbench.typing import Context
from wslbench.zoo import Source

UNIT = synthetic_generation_unit("generators", count=16)


def context(seed: int = 0) -> Context:
    phases = tuple(sorted(set(UNIT.phases)))
    groups = np.unique(UNIT.cells, return_inverse=True)[1]
    return Context(UNIT.task, phases, groups, seed, "cpu", math.inf, target_phase=UNIT.target_phase)


def drawn(
    name: str, seed: int = 0, count: int = 16, models: Any = None, phases: Any = None, epochs: int | None = None
) -> dict[str, torch.Tensor]:
    method = getattr(load_baseline(name), GENERATORS[name])()
    if epochs is not None:
        method.settings = method.settings._replace(epochs=epochs)
    method.fit(UNIT.train if models is None else models, UNIT.phases if phases is None else phases, context(seed))
    result: dict[str, torch.Tensor] = method.generate(count, context(seed))
    return result


def of_phase() -> Any:
    (stack,) = UNIT.train[np.flatnonzero(UNIT.phases == UNIT.target_phase)].by_architecture()
    return stack


@pytest.mark.parametrize("name", GENERATORS)
def test_whole_networks_come_out_and_repeat_with_their_seed(name: str) -> None:
    epochs = 10 if name == "diffusion" else None
    networks, stack = drawn(name, epochs=epochs), of_phase()
    assert list(networks) == list(stack.keys())
    for key, values in networks.items():
        assert values.shape == (16, *stack.shape(key))
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()
        assert not key.endswith("running_var") or (values > 0).all()
    again, other = drawn(name, epochs=epochs), drawn(name, seed=1, epochs=epochs)
    assert all(torch.equal(networks[key], again[key]) for key in networks)
    assert any(not torch.equal(networks[key], other[key]) for key in networks)


def test_retrieval_hands_back_networks_of_the_phase_alone() -> None:
    networks, stack = drawn("retrieval", count=6), of_phase()
    for row in range(6):
        assert any(
            all(np.array_equal(networks[name][row], stack[name][known]) for name in networks)
            for known in range(len(stack))
        )


def test_noise_has_the_size_that_it_says() -> None:
    plain, shaken = drawn("retrieval", count=6), drawn("noise", count=6)
    name = "conv2.weight"
    size = plain[name].square().flatten(1).mean(1).sqrt()
    change = (shaken[name] - plain[name]).square().flatten(1).mean(1).sqrt()
    torch.testing.assert_close(change / size, torch.full((6,), load_baseline("noise").SCALE), rtol=0.25, atol=0)
    assert torch.equal(shaken["bn1.running_var"], plain["bn1.running_var"])


@pytest.mark.parametrize("name", ["average", "gaussian"])
def test_of_one_network_in_many_disguises_that_network_comes_out(name: str) -> None:
    """Aligned disguises are one network, whose mean it is, and whose weights do not vary."""
    one = UNIT.train[np.zeros(12, int) + np.flatnonzero(UNIT.phases == UNIT.target_phase)[0]]
    disguised = symmetry.disguise(one, seed=3)
    networks = drawn(name, count=4, models=disguised, phases=np.full(12, UNIT.target_phase, object))
    architecture = one[0].architecture if hasattr(one[0], "architecture") else of_phase().architecture
    inputs = architecture.example_input(8)
    expected = one[0].module().eval()(inputs)
    for row in range(4):
        network = architecture.module().eval()
        network.load_state_dict({key: values[row] for key, values in networks.items()}, strict=False)
        torch.testing.assert_close(network(inputs), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("name", GENERATORS)
def test_several_architectures_or_none_are_refused(name: str) -> None:
    mixed = synthetic_unit("phase_classification", "mixed").train.models
    with pytest.raises(ValueError, match="2 architectures"):
        drawn(name, models=mixed, phases=np.full(len(mixed), UNIT.target_phase, object))
    with pytest.raises(ValueError, match="0 architectures"):
        drawn(name, phases=np.full(len(UNIT.train), "IV-A", object))


def test_the_target_phase_is_told_by_the_context() -> None:
    other = replace(context(), target_phase="III")
    method = load_baseline("retrieval").Retrieval()
    method.fit(UNIT.train, UNIT.phases, other)
    (stack,) = UNIT.train[np.flatnonzero(UNIT.phases == "III")].by_architecture()
    first = method.generate(1, other)["conv1.weight"][0].numpy()
    assert any(np.array_equal(first, values) for values in stack["conv1.weight"])


@pytest.mark.slow
def test_diffusion_finds_the_one_direction_in_which_networks_differ() -> None:
    """Networks on a line: a normal law a weight, which knows of no other weight, has next to nothing along it."""
    stack, random = of_phase(), np.random.default_rng(0)
    names = list(stack.keys())
    along = {name: random.normal(size=stack.shape(name)) for name in names}
    amount = random.normal(size=200)
    tensors = {
        name: (stack[name][0] + 0.05 * np.multiply.outer(amount, along[name])).astype(np.float32) for name in names
    }
    tensors |= {name: np.abs(values) + 0.1 for name, values in tensors.items() if name.endswith("running_var")}
    source = Source("line", stack.architecture, lambda: tensors)
    rows = np.arange(200)
    models = Models(np.array([f"m{row}" for row in rows], object), [source], np.zeros(200, int), rows)
    phases = np.full(200, UNIT.target_phase, object)

    def share(networks: dict[str, torch.Tensor]) -> float:
        """Of the variance of a draw, how much lies along the line."""
        weights = [name for name in networks if not name.endswith(("running_mean", "running_var"))]
        line = np.concatenate([along[name].ravel() for name in weights])
        vectors = np.concatenate([networks[name].numpy().reshape(64, -1) for name in weights], 1)
        return float((vectors @ line / np.linalg.norm(line)).var() / vectors.var(axis=0).sum())

    found, blind = (share(drawn(name, count=64, models=models, phases=phases)) for name in ("diffusion", "gaussian"))
    assert found > 10 * blind


def test_of_a_diffused_vector_signal_gives_way_to_noise() -> None:
    shares = load_baseline("diffusion").signal_shares(100)
    assert (shares.diff() < 0).all()
    assert shares[0] > 0.99
    assert shares[-1] < 0.01
