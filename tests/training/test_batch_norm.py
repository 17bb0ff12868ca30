"""Re-estimated batch-norm statistics against hand-computed moments and against torch's own averaging."""

import pytest
import torch

from wslbench.architectures import Architecture
from wslbench.training import ModelStack, logits_of, performance, reestimate_batch_norm

ARCHITECTURE = Architecture(builder="cnn", arguments={"width": 2})


@pytest.fixture(scope="module")
def inputs():
    return torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_first_layer_has_the_moments_of_the_whole_set(inputs):
    stack = reestimate_batch_norm(ModelStack.initialise(ARCHITECTURE, [0, 1]), inputs, batch_size=25)
    for row in range(2):
        maps = torch.nn.functional.conv2d(inputs, stack.parameters["conv1.weight"][row], padding=1)
        assert torch.allclose(stack.statistics["bn1.running_mean"][row], maps.mean((0, 2, 3)), atol=1e-5)


def test_equals_cumulative_averaging_by_torch(inputs):
    stack = reestimate_batch_norm(ModelStack.initialise(ARCHITECTURE, [3]), inputs, batch_size=20)
    network = ARCHITECTURE.module()
    network.load_state_dict({name: tensor[0] for name, tensor in stack.parameters.items()}, strict=False)
    for layer in (network.bn1, network.bn2, network.bn3):
        layer.reset_running_stats()
        layer.momentum = None
    network.train()
    with torch.no_grad():
        for batch in inputs.split(20):
            network(batch)
    for name, tensor in stack.statistics.items():
        assert torch.allclose(tensor[0], network.state_dict()[name], atol=1e-5), name


def test_measuring_equals_one_module_at_a_time(inputs):
    labels = torch.arange(60) % 10
    stack = reestimate_batch_norm(ModelStack.initialise(ARCHITECTURE, [0, 1]), inputs)
    logits = logits_of(stack, inputs, batch_size=17)
    measured = performance(stack, inputs, labels)
    for row in range(2):
        network = ARCHITECTURE.module().eval()
        state = {name: torch.from_numpy(array[row]) for name, array in stack.arrays().items()}
        network.load_state_dict(state, strict=False)
        with torch.no_grad():
            expected = network(inputs)
        assert torch.allclose(logits[row], expected, atol=1e-5)
        assert measured.loss[row].item() == pytest.approx(torch.nn.functional.cross_entropy(expected, labels).item())
        assert measured.accuracy[row].item() == pytest.approx((expected.argmax(1) == labels).double().mean().item())


def test_stored_tensors_are_float32_without_counters(inputs):
    arrays = reestimate_batch_norm(ModelStack.initialise(ARCHITECTURE, [0]), inputs).arrays()
    assert {array.dtype.name for array in arrays.values()} == {"float32"}
    assert not any("num_batches" in name for name in arrays)
    assert [n for n in ARCHITECTURE.module().state_dict() if "num_batches" not in n] == list(arrays)


def test_a_stack_of_any_strides_gets_the_same_statistics(inputs):
    """Written into in place: of statistics that are no plain array, nothing would arrive."""
    stack = ModelStack.initialise(ARCHITECTURE, [0, 1])
    turned = {name: tensor.T.contiguous().T for name, tensor in stack.statistics.items()}
    assert not any(tensor.is_contiguous() for tensor in turned.values())
    one, other = (
        reestimate_batch_norm(ModelStack(ARCHITECTURE, stack.parameters, statistics), inputs)
        for statistics in (stack.statistics, turned)
    )
    assert all(torch.equal(tensor, other.statistics[name]) for name, tensor in one.statistics.items())
