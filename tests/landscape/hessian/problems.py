"""A stack of small networks, and their Hessians by autograd."""

import numpy as np
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from wslbench.architectures import Architecture
from wslbench.training import ModelStack, reestimate_batch_norm

SIZE = 3
EVERYTHING = np.arange(24)


def small_networks():
    """Stack, inputs, labels, and the exact Hessian of each network."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(24, 1, 4, 4, generator=generator)
    labels = torch.randint(0, 3, (24,), generator=generator)
    architecture = Architecture(builder="cnn", arguments={"width": 1, "image_size": 4, "classes": 3})
    stack = reestimate_batch_norm(ModelStack.initialise(architecture, [1, 2, 3]), inputs)
    return stack, inputs, labels, [exact_hessian(stack, row, inputs, labels) for row in range(SIZE)]


def exact_hessian(stack, row, inputs, labels, train_mode=False):
    """Of one network ``[parameters, parameters]``; in training mode batch norm uses the inputs' own statistics."""
    network = stack.architecture.module().train(train_mode)
    names = list(stack.parameters)
    shapes = [stack.parameters[name][row].shape for name in names]
    statistics = {name: tensor[row] for name, tensor in stack.statistics.items()}
    flat = torch.cat([stack.parameters[name][row].flatten() for name in names])

    def loss(vector):
        pieces = vector.split([shape.numel() for shape in shapes])
        parameters = {n: p.reshape(s) for n, p, s in zip(names, pieces, shapes, strict=True)}
        return cross_entropy(functional_call(network, (parameters, statistics), (inputs,)), labels)

    return torch.autograd.functional.hessian(loss, flat).double()
