"""Stacked optimisers against torch.optim, one network at a time, and against themselves in other company."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from wslbench.training import _stacked_steps
from wslbench.training.optimisers import StackedAdam, StackedSGD

SIZE, STEPS = 4, 20
RATES = [0.003, 0.01, 0.02, 0.05]
DECAYS = [0.0, 5e-4, 0.05, 0.3]


def conv_net():
    # No bias before batch norm: its gradient is rounding error alone, which Adam would blow up.
    layers = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4, track_running_stats=False), nn.Tanh(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(64, 3))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 130), nn.Tanh(), nn.Linear(130, 130), nn.Tanh(), nn.Linear(130, 3))


def sgd(parameters, rates, decays, **options):
    return StackedSGD(parameters, rates, decays, 0.9, **options)


def nesterov(parameters, rates, decays, **options):
    return StackedSGD(parameters, rates, decays, 0.9, nesterov=True, **options)


def adam(parameters, rates, decays, **options):
    return StackedAdam(parameters, rates, decays, (0.85, 0.98), 1e-7, decoupled=False, **options)


def adamw(parameters, rates, decays, **options):
    return StackedAdam(parameters, rates, decays, decoupled=True, **options)


TORCHS = {
    sgd: lambda p, lr, wd: torch.optim.SGD(p, lr=lr, weight_decay=wd, momentum=0.9),
    nesterov: lambda p, lr, wd: torch.optim.SGD(p, lr=lr, weight_decay=wd, momentum=0.9, nesterov=True),
    adam: lambda p, lr, wd: torch.optim.Adam(p, lr=lr, weight_decay=wd, betas=(0.85, 0.98), eps=1e-7),
    adamw: lambda p, lr, wd: torch.optim.AdamW(p, lr=lr, weight_decay=wd),
}


def networks(build, dtype):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return [build().to(dtype) for _ in range(SIZE)]


def data(dtype):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(STEPS, SIZE, 8, 1, 6, 6, generator=generator, dtype=torch.float64)
    return inputs.to(dtype), torch.randn(STEPS, SIZE, 8, 3, generator=generator, dtype=torch.float64).to(dtype)


def factor_at(step):
    return 1.0 / (1 + step % 3)


def cycled_at(step):
    return 0.95 - 0.01 * step


def stacked(members):
    return {
        name: torch.stack([dict(m.named_parameters())[name].detach() for m in members])
        for name in dict(members[0].named_parameters())
    }


def run(optimiser, template, rows, dtype, steps=range(STEPS), momentum=None):
    """Go on with an optimiser for some steps; ``rows`` says whose data its networks see."""
    inputs, targets = data(dtype)
    forward = vmap(lambda parameters, x: functional_call(template, parameters, (x,)))
    for step in steps:
        outputs = forward(optimiser.leaves(), inputs[step][rows])
        losses = (outputs - targets[step][rows]).square().mean((1, 2))
        optimiser.step(losses.sum(), factor_at(step), None if momentum is None else momentum(step))
    return {name: tensor.detach().clone() for name, tensor in optimiser.parameters.items()}


def start(make, members, rows, dtype, **options):
    rates, decays = (torch.tensor(values, dtype=dtype)[rows] for values in (RATES, DECAYS))
    return make(stacked([members[row] for row in rows]), rates, decays, **options)


def run_torch(make, network, row, dtype, momentum=None, clip_norm=None):
    inputs, targets = data(dtype)
    optimiser = TORCHS[make](network.parameters(), RATES[row], DECAYS[row])
    group = optimiser.param_groups[0]
    for step in range(STEPS):
        group["lr"] = RATES[row] * factor_at(step)
        if momentum is not None and "betas" in group:
            group["betas"] = (momentum(step), group["betas"][1])
        elif momentum is not None:
            group["momentum"] = momentum(step)
        optimiser.zero_grad()
        (network(inputs[step, row]) - targets[step, row]).square().mean().backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        optimiser.step()
    return dict(network.named_parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("build", [conv_net, mlp])
@pytest.mark.parametrize("make", TORCHS)
def test_every_network_fares_as_with_torchs_own(make, build, dtype):
    members = networks(build, dtype)
    end = run(start(make, members, list(range(SIZE)), dtype), build(), slice(None), dtype)
    # Adam divides by the root of a nearly vanished square at first: rounding errors of float32 show.
    tolerance = 1e-10 if dtype == torch.float64 else 2e-4
    for row, network in enumerate(members):
        for name, expected in run_torch(make, network, row, dtype).items():
            assert torch.allclose(end[name][row], expected, rtol=tolerance, atol=tolerance), name


@pytest.mark.parametrize("make", TORCHS)
def test_momentum_and_clipping_are_torchs(make):
    members = networks(conv_net, torch.float64)
    optimiser = start(make, members, list(range(SIZE)), torch.float64, clip_norm=0.2)
    end = run(optimiser, conv_net(), slice(None), torch.float64, momentum=cycled_at)
    for row, network in enumerate(members):
        for name, expected in run_torch(make, network, row, torch.float64, cycled_at, clip_norm=0.2).items():
            assert torch.allclose(end[name][row], expected, rtol=1e-10, atol=1e-10), name


def test_clipping_scales_only_what_is_too_long():
    parameters = {"a": torch.zeros(3, 2), "b": torch.zeros(3, 1, 1)}
    gradients = {
        "a": torch.tensor([[0.3, 0.0], [3.0, 0.0], [0.0, 0.0]]),
        "b": torch.tensor([0.4, 4.0, 0.0]).reshape(3, 1, 1),
    }
    before = copy.deepcopy(gradients)
    optimiser = StackedSGD(parameters, torch.ones(3), torch.zeros(3), 0.0, clip_norm=1.0)
    optimiser.apply(gradients, 1.0)
    assert torch.allclose(parameters["a"], -torch.tensor([[0.3, 0.0], [0.6, 0.0], [0.0, 0.0]]), atol=1e-6)
    assert torch.allclose(parameters["b"].flatten(), -torch.tensor([0.4, 0.8, 0.0]), atol=1e-6)
    assert all(torch.equal(gradients[name], before[name]) for name in gradients)


@pytest.mark.parametrize("make", TORCHS)
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_a_trajectory_does_not_depend_on_its_company(make, clip_norm):
    generator = torch.Generator().manual_seed(2)
    shapes = {"a": (3, 5, 3, 3), "b": (7,), "c": (130, 131), "d": (1,)}
    weights = {name: torch.randn(9, *shape, generator=generator) for name, shape in shapes.items()}
    steps = [{name: torch.randn(9, *shape, generator=generator) for name, shape in shapes.items()} for _ in range(5)]
    rates, decays = (torch.rand(9, generator=generator) * 0.1 for _ in range(2))

    def trajectory(rows):
        optimiser = make(
            {n: w[rows].clone() for n, w in weights.items()}, rates[rows], decays[rows], clip_norm=clip_norm
        )
        for number, gradients in enumerate(steps):
            optimiser.apply({name: gradient[rows] for name, gradient in gradients.items()}, factor_at(number))
        return optimiser.parameters

    together = trajectory(slice(None))
    for rows in (slice(0, 1), slice(2, 4), slice(3, 8), slice(8, 9)):
        for name, tensor in trajectory(rows).items():
            assert torch.equal(tensor, together[name][rows]), name


@pytest.mark.parametrize("limit", [0, 40, 10**9])
@pytest.mark.parametrize("make", TORCHS)
def test_updating_tensors_together_changes_no_bit(make, limit, monkeypatch):
    members = networks(conv_net, torch.float32)
    rows = list(range(SIZE))
    usual = run(start(make, members, rows, torch.float32), conv_net(), rows, torch.float32, range(5))
    monkeypatch.setattr(_stacked_steps, "_GATHERED", {"cpu": limit})
    other = run(start(make, members, rows, torch.float32), conv_net(), rows, torch.float32, range(5))
    assert all(torch.equal(usual[name], other[name]) for name in usual)


def test_sgd_keeps_the_bits_of_the_textbook_update():
    generator = torch.Generator().manual_seed(3)
    shapes = {"conv": (6, 3, 3, 3), "norm": (6,), "linear": (10, 24)}
    parameters = {name: torch.randn(5, *shape, generator=generator) for name, shape in shapes.items()}
    expected, velocity = copy.deepcopy(parameters), {n: torch.zeros_like(p) for n, p in parameters.items()}
    rates = torch.tensor([0.01, 0.02, 0.05, 0.1, 0.15])
    optimiser = StackedSGD(parameters, rates, torch.full((5,), 5e-4), 0.9)
    for step in range(6):
        gradients = {name: torch.randn(5, *shape, generator=generator) for name, shape in shapes.items()}
        optimiser.apply(gradients, factor_at(step))
        for name, gradient in gradients.items():
            velocity[name].mul_(0.9).add_(gradient).add_(expected[name], alpha=5e-4)
            scaled = (rates * factor_at(step)).reshape(-1, *[1] * len(shapes[name]))
            expected[name].sub_(velocity[name] * scaled)
            assert torch.equal(parameters[name], expected[name])


@pytest.mark.parametrize("make", TORCHS)
def test_a_run_goes_on_from_its_state_with_the_same_bits(make):
    members = networks(mlp, torch.float32)
    rows = list(range(SIZE))
    whole = run(start(make, members, rows, torch.float32), mlp(), rows, torch.float32)
    first = start(make, members, rows, torch.float32)
    half_way = run(first, mlp(), rows, torch.float32, range(8))
    state = first.state()
    run(first, mlp(), rows, torch.float32, range(8, 10))  # a state is a copy: going on does not change it
    rates, decays = torch.tensor(RATES), torch.tensor(DECAYS)
    second = make(half_way, rates, decays)
    second.load_state(state)
    resumed = run(second, mlp(), rows, torch.float32, range(8, STEPS))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_parameters_are_leaves_only_where_a_graph_is_wanted():
    optimiser = StackedSGD({"w": torch.ones(2, 3)}, torch.ones(2), torch.zeros(2), 0.9)
    leaves = optimiser.leaves()
    assert leaves["w"].requires_grad
    assert leaves["w"].is_leaf
    optimiser.step(leaves["w"].square().sum(), 0.25)
    assert not optimiser.parameters["w"].requires_grad
    assert torch.equal(optimiser.parameters["w"], torch.full((2, 3), 0.5))
