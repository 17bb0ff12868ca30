"""Hessian-vector products of every kind of network against forward-mode over reverse-mode differentiation."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, jvp, vmap

from tests.architectures.cases import CASES
from wslbench.landscape.hessian import hessian_product
from wslbench.training import ModelStack
from wslbench.training.objectives import CleanBatch
from wslbench.training.stack import evaluation_template

INPUTS = 3


class Curved:
    """A loss that is curved in every output."""

    def __init__(self, inputs):
        self.inputs = inputs

    def select(self, rows):
        return self

    def clean(self, rows, side="train"):
        return CleanBatch((self.inputs,), (None,), len(self.inputs))

    def loss(self, network, inputs):
        outputs = network(inputs)
        return outputs.square().mean() + outputs.sin().mean()


@pytest.mark.parametrize("name", CASES)
def test_products_equal_those_of_forward_mode(name):
    case = CASES[name]
    generator = torch.Generator().manual_seed(0)
    shape = INPUTS, *case.input_shape
    inputs = torch.randn(shape, generator=generator)
    if case.tokens:
        inputs = torch.randint(0, case.tokens, shape, generator=generator)
    stack, objective = ModelStack.initialise(case.architecture, [0, 1]), Curved(inputs)
    vector = {n: torch.randn(t.shape, generator=generator) for n, t in stack.parameters.items()}
    template = evaluation_template(case.architecture)

    def forward_over_reverse(parameters, statistics, direction):
        def loss(at):
            return objective.loss(lambda x: functional_call(template, (at, statistics), (x,)), inputs)

        return jvp(grad(loss), (parameters,), (direction,))[1]

    expected = vmap(forward_over_reverse)(stack.parameters, stack.statistics, vector)
    found = hessian_product(stack, objective, np.arange(INPUTS))(vector)
    largest = max(tensor.abs().max() for tensor in expected.values())
    assert largest > 0
    for parameter, tensor in expected.items():
        assert torch.allclose(found[parameter], tensor, rtol=1e-4, atol=1e-5 * float(largest)), parameter
