"""ResNets: torchvision's names, counts worked from torchvision's, and the blocks written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, relu

from tests.architectures.cases import architecture

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
CONVOLUTIONS = {"resnet18": 2, "resnet50": 3}  # a block


def torchvision_names(builder: str) -> list[str]:
    """The state dict's names as torchvision has them."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = ["conv1.weight", *(f"bn1.{name}" for name in norm)]
    for stage, depth in enumerate(DEPTHS[builder], start=1):
        for block in range(depth):
            prefix = f"layer{stage}.{block}"
            for layer in range(1, CONVOLUTIONS[builder] + 1):
                names += [f"{prefix}.conv{layer}.weight", *(f"{prefix}.bn{layer}.{name}" for name in norm)]
            # Basic blocks keep the width in the first stage, bottlenecks widen it fourfold.
            if block == 0 and (stage > 1 or builder == "resnet50"):
                names += [f"{prefix}.downsample.0.weight", *(f"{prefix}.downsample.1.{name}" for name in norm)]
    return [*names, "fc.weight", "fc.bias"]


@pytest.mark.parametrize("builder", DEPTHS)
def test_names_are_torchvisions(builder: str) -> None:
    assert list(architecture(builder, width=1).module().state_dict()) == torchvision_names(builder)


@pytest.mark.parametrize(
    ("builder", "arguments", "count"),
    [
        ("resnet18", {"width": 2}, 11_420),
        # torchvision's 11,689,512 for 1,000 classes; its first convolution is 7×7, its read-out 512 → 1000.
        ("resnet18", {"width": 64}, 11_689_512 - (49 - 9) * 3 * 64 - 513 * 990),
        ("resnet18", {"width": 64, "classes": 100}, 11_689_512 - (49 - 9) * 3 * 64 - 513 * 900),
        # torchvision's 25,557,032; its read-out is 2048 → 1000.
        ("resnet50", {"width": 64}, 25_557_032 - (49 - 9) * 3 * 64 - 2049 * 990),
        ("resnet50", {"width": 64, "in_channels": 1}, 25_557_032 - (49 * 3 - 9) * 64 - 2049 * 990),
    ],
)
def test_parameters_follow_torchvisions_numbers(builder: str, arguments: dict, count: int) -> None:
    assert architecture(builder, **arguments).parameters() == count


@pytest.mark.parametrize("width", [2, 3, 64, 256])
def test_resnet18_grows_with_the_square_of_its_width(width: int) -> None:
    # Times w²: 9 a 3×3 convolution (36, 126, 504, 2016 a stage), 2 + 8 + 32 the shortcuts. Times w: 27 the first
    # convolution, 2 · 75 the norms, 80 the read-out.
    expected = (36 + 126 + 504 + 2016 + 42) * width**2 + (27 + 150 + 80) * width + 10
    assert architecture("resnet18", width=width).parameters() == expected


def forward_by_hand(builder: str, state: dict[str, Tensor], images: Tensor) -> Tensor:
    def norm(name: str, hidden: Tensor) -> Tensor:
        statistics = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return batch_norm(hidden, *statistics, state[f"{name}.weight"], state[f"{name}.bias"])

    def convolution(name: str, hidden: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return conv2d(hidden, weight, stride=stride, padding=(weight.shape[-1] - 1) // 2)

    hidden = relu(norm("bn1", convolution("conv1", images)))
    for stage, depth in enumerate(DEPTHS[builder], start=1):
        for block in range(depth):
            prefix, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            branch = hidden
            for layer in range(1, CONVOLUTIONS[builder] + 1):
                # The 3×3 convolution strides: a basic block's first, a bottleneck's second.
                strides = stride if layer == CONVOLUTIONS[builder] - 1 else 1
                branch = norm(f"{prefix}.bn{layer}", convolution(f"{prefix}.conv{layer}", branch, strides))
                if layer < CONVOLUTIONS[builder]:
                    branch = relu(branch)
            if f"{prefix}.downsample.0.weight" in state:
                hidden = norm(f"{prefix}.downsample.1", convolution(f"{prefix}.downsample.0", hidden, stride))
            hidden = relu(hidden + branch)
    return linear(hidden.flatten(2).mean(-1), state["fc.weight"], state["fc.bias"])


@pytest.mark.parametrize("builder", DEPTHS)
def test_forward_is_the_blocks_written_out(builder: str) -> None:
    torch.manual_seed(0)
    network = architecture(builder, width=3, classes=7).module().double().eval()
    for name, tensor in network.state_dict().items():  # every number counts, none is a fresh network's 0 or 1
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5)
        assert tensor.ndim in (0, 1, 2, 4), name
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    logits = network(images)
    assert logits.shape == (2, 7)
    torch.testing.assert_close(logits, forward_by_hand(builder, network.state_dict(), images))


def test_stages_halve_the_image_three_times() -> None:
    network = architecture("resnet18", width=2).module().eval()
    sizes = []
    for stage in (network.conv1, network.layer1, network.layer2, network.layer3, network.layer4):
        stage.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    network(torch.randn(1, 3, 32, 32))
    assert sizes == [(2, 32, 32), (2, 32, 32), (4, 16, 16), (8, 8, 8), (16, 4, 4)]


def test_weights_start_kaiming_uniform() -> None:
    torch.manual_seed(0)
    state = architecture("resnet18", width=32).module().state_dict()
    for name in ("conv1.weight", "layer4.1.conv2.weight", "layer3.0.downsample.0.weight", "fc.weight"):
        bound = (6 / state[name][0].numel()) ** 0.5  # He et al. 2015: uniform of variance 2 / fan in
        assert state[name].abs().max() <= bound
        assert state[name].abs().max() > 0.95 * bound
    assert torch.equal(state["fc.bias"], torch.full((10,), 0.01))
    assert torch.equal(state["bn1.weight"], torch.ones(32))
