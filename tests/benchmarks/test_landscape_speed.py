"""Order parameters of many small networks at once, against one network or pair after the other, one thread each way."""

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from wslbench.architectures import Architecture
from wslbench.datasets import load_dataset
from wslbench.landscape.connectivity import CURVE_POINTS, fit_curves
from wslbench.landscape.hessian import hessian_trace, top_eigenvalue
from wslbench.training import Classification, ModelStack, Optimisation, reestimate_batch_norm

NETWORKS, PROBES, ITERATIONS = 100, 8, 10
PAIRS, EPOCHS, BATCH = 30, 3, 64
SAMPLES = np.arange(256)


def digits():
    data = load_dataset("digits")
    tensors = [torch.as_tensor(a) for a in (data.train_inputs, data.train_labels, data.test_inputs, data.test_labels)]
    return Classification(*tensors, classes=10), tensors[0]


@pytest.fixture(scope="module", params=[2, 4, 8], ids=lambda width: f"cnn-{width}")
def problem(request):
    objective, images = digits()
    architecture = Architecture(builder="cnn", arguments={"width": request.param})
    stack = ModelStack.initialise(architecture, list(range(NETWORKS)))
    return reestimate_batch_norm(stack, images), objective


@pytest.fixture(scope="module", params=[8, 32], ids=lambda width: f"mlp-{width}")
def perceptrons(request):
    arguments = {"in_features": 64, "hidden": [request.param, request.param], "out_features": 10}
    architecture = Architecture(builder="mlp", arguments=arguments)
    return ModelStack.initialise(architecture, list(range(NETWORKS))), digits()[0]


def network_of(stack, row):
    network = stack.architecture.module().eval()
    tensors = stack.parameters | stack.statistics
    network.load_state_dict({name: tensor[row] for name, tensor in tensors.items()}, strict=False)
    return network


def hessians(stack, objective, seeds):
    hessian_trace(stack, objective, SAMPLES, seeds, relative_tolerance=1e-9, maximum_probes=PROBES)
    top_eigenvalue(stack, objective, SAMPLES, seeds, iterations=ITERATIONS, relative_tolerance=1e-9)


def same_functions(stack, objective):
    """Our own functions, called for one network after the other."""
    for row in range(NETWORKS):
        hessians(stack.select([row]), objective, [row])


def plain_loop(stack, objective):
    """The obvious way without us: it keeps the graph of the gradient as well, of one network after the other."""
    images, labels = objective.train_images.clean(SAMPLES), objective.train_labels[SAMPLES]
    for row in range(NETWORKS):
        network = network_of(stack, row)
        parameters = list(network.parameters())
        loss = cross_entropy(network(images), labels)
        gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, create_graph=True)])

        def product(vector, gradient=gradient, parameters=parameters):
            image = torch.autograd.grad(gradient, parameters, vector, retain_graph=True)
            return torch.cat([part.flatten() for part in image])

        for _ in range(PROBES):
            signs = torch.randint(0, 2, gradient.shape).float() * 2 - 1
            signs @ product(signs)
        basis = [torch.randn(gradient.shape)]
        basis[0] /= basis[0].norm()
        diagonal, side = [], []
        for _ in range(ITERATIONS):
            image = product(basis[-1])
            diagonal.append(float(image @ basis[-1]))
            for vector in basis:
                image = image - (image @ vector) * vector
            side.append(float(image.norm()))
            basis.append(image / side[-1])
        np.linalg.eigvalsh(np.diag(diagonal) + np.diag(side[:-1], 1) + np.diag(side[:-1], -1))


@pytest.mark.parametrize("one_by_one", [same_functions, plain_loop])
def test_hessians_of_convolutional_networks(against, problem, one_by_one):
    """Trace by 8 probes and top eigenvalue by 10 Lanczos steps, 256 samples."""
    compare_hessians(against, *problem, one_by_one)


@pytest.mark.parametrize("one_by_one", [same_functions, plain_loop])
def test_hessians_of_perceptrons(against, perceptrons, one_by_one):
    """The same for two hidden layers."""
    compare_hessians(against, *perceptrons, one_by_one)


def compare_hessians(against, stack, objective, one_by_one):
    against(lambda: hessians(stack, objective, list(range(NETWORKS))), lambda: one_by_one(stack, objective), rounds=3)


def test_curves(against, problem):
    """30 pairs, 3 epochs with batches of 64, five points measured on both sides, batch norm re-estimated at each."""
    stack, objective = problem
    curve = Optimisation(epochs=EPOCHS, batch_size=BATCH, learning_rate=0.05, schedule="cosine")
    start, end = stack.select(range(PAIRS)), stack.select(range(PAIRS, 2 * PAIRS))
    images, labels = objective.train_images.clean(slice(None)), objective.train_labels
    test_images, test_labels = objective.test_images.clean(slice(None)), objective.test_labels

    def ours():
        fit_curves(start, end, objective, curve, list(range(PAIRS)))

    def one_by_one():
        for row in range(PAIRS):
            first, last = network_of(start, row), network_of(end, row)
            network = network_of(start, row).train()
            ends = [dict(one.named_parameters()) for one in (first, last)]
            bend = {name: ((ends[0][name] + ends[1][name]) / 2).detach().requires_grad_() for name in ends[0]}
            optimiser = torch.optim.SGD(bend.values(), lr=0.05, momentum=0.9, weight_decay=5e-4)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * (len(labels) // BATCH))

            def point(t, ends=ends, bend=bend):
                one, other = ends
                return {
                    name: (1 - t) ** 2 * one[name].detach() + 2 * t * (1 - t) * bend[name] + t**2 * other[name].detach()
                    for name in bend
                }

            for _ in range(EPOCHS):
                for index in torch.randperm(len(labels)).split(BATCH)[: len(labels) // BATCH]:
                    optimiser.zero_grad()
                    outputs = functional_call(network, point(torch.rand(()).item()), (images[index],))
                    cross_entropy(outputs, labels[index]).backward()
                    optimiser.step()
                    schedule.step()
            measured = network_of(start, row)
            with torch.no_grad():
                for t in CURVE_POINTS:
                    for name, parameter in measured.named_parameters():
                        parameter.copy_(point(t)[name])
                    for module in measured.modules():
                        if isinstance(module, torch.nn.BatchNorm2d):
                            module.reset_running_stats()
                            module.momentum = None  # the plain mean over batches
                    measured.train()
                    for batch in images.split(400):
                        measured(batch)
                    measured.eval()
                    for some, truth in ((images, labels), (test_images, test_labels)):
                        outputs = measured(some)
                        float(cross_entropy(outputs, truth))
                        float((outputs.argmax(1) == truth).float().mean())

    against(ours, one_by_one, rounds=3)
