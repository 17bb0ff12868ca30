"""The way of training that a measurement picks."""

import pytest
import torch

from tests.training.problems import classification
from wslbench.architectures import Architecture
from wslbench.training import ModelStack, Optimisation, PassSize, measure_pass_size, pass_size
from wslbench.training.pass_size import ONE_BY_ONE

OPTIMISATION = Optimisation(epochs=1, batch_size=8)


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(40, 1, 8, 8, generator=generator), torch.arange(40) % 10
    stack = ModelStack.initialise(Architecture(builder="cnn", arguments={"width": 1}), list(range(6)))
    return stack, classification(inputs, labels)


def seconds(monkeypatch, costs):
    monkeypatch.setattr(pass_size, "seconds_per_step", lambda stack, objective, optimisation, way: costs[way])


def test_stacked_where_it_is_faster(problem, monkeypatch):
    seconds(monkeypatch, {ONE_BY_ONE: 1.0, PassSize(6, stacked=True): 0.5})
    assert measure_pass_size(*problem, OPTIMISATION) == PassSize(6, stacked=True)


@pytest.mark.parametrize("stacked", [1.0, 0.97, 2.0])
def test_one_by_one_where_stacking_gains_nothing(problem, monkeypatch, stacked):
    seconds(monkeypatch, {ONE_BY_ONE: 1.0, PassSize(6, stacked=True): stacked})
    assert measure_pass_size(*problem, OPTIMISATION) == ONE_BY_ONE


def test_a_long_step_is_not_tried_stacked(problem, monkeypatch):
    seconds(monkeypatch, {ONE_BY_ONE: 1.5})
    assert measure_pass_size(*problem, OPTIMISATION) == ONE_BY_ONE


def test_a_single_network_is_no_stack(problem):
    stack, objective = problem
    assert measure_pass_size(stack.select([0]), objective, OPTIMISATION) == ONE_BY_ONE
    assert measure_pass_size(stack.select([0]), objective, OPTIMISATION, must_stack=True).stacked


def test_measuring_really_leaves_the_networks_alone(problem):
    stack, objective = problem
    before = {name: tensor.clone() for name, tensor in stack.parameters.items()}
    measure_pass_size(stack, objective, OPTIMISATION)
    assert all(torch.equal(before[name], tensor) for name, tensor in stack.parameters.items())
