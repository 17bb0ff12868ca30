"""Residual networks by width for small images (He et al. 2016; Yang et al. 2021), with torchvision's names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from wslbench.architectures._checks import positive


def _convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


def _downsample(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """What brings a block's input to its output's shape; nothing where it has that shape."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(_convolution(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(in_channels, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.downsample = _downsample(in_channels, width, stride)

    def forward(self, images: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, width, h / stride, w / stride]``."""
        hidden = self.relu(self.bn1(self.conv1(images)))
        hidden = self.bn2(self.conv2(hidden))
        shortcut = images if self.downsample is None else self.downsample(images)
        output: Tensor = self.relu(hidden + shortcut)
        return output


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions around a shortcut; the stride is the middle one's, as in torchvision."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = _convolution(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.downsample = _downsample(in_channels, out_channels, stride)

    def forward(self, images: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, 4 · width, h / stride, w / stride]``."""
        hidden = self.relu(self.bn1(self.conv1(images)))
        hidden = self.relu(self.bn2(self.conv2(hidden)))
        hidden = self.bn3(self.conv3(hidden))
        shortcut = images if self.downsample is None else self.downsample(images)
        output: Tensor = self.relu(hidden + shortcut)
        return output


def _stage(
    block: type[BasicBlock] | type[Bottleneck], depth: int, in_channels: int, width: int, stride: int
) -> nn.Sequential:
    """``depth`` blocks of one width; the first of them strides."""
    first = block(in_channels, width, stride)
    return nn.Sequential(first, *(block(block.expansion * width, width, 1) for _ in range(depth - 1)))


class ResNet(nn.Module):
    """3×3 convolution of stride 1, four stages of widths w, 2w, 4w, 8w, mean over pixels, linear read-out.

    There is no max-pool, and no convolution has a bias. Weights start Kaiming-uniform and the read-out's bias at
    .01, as in the published phase zoos.

    Parameters
    ----------
    block
        :class:`BasicBlock` or :class:`Bottleneck`.
    depths
        Blocks of each of the four stages. Every stage but the first starts with a block of stride 2.
    width
        Channels w of the first stage; the zoo's load.
    in_channels
        Channels of an image.
    classes
        Number of logits.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        width: int,
        in_channels: int = 3,
        classes: int = 10,
    ) -> None:
        super().__init__()
        positive(width=width, in_channels=in_channels, classes=classes)
        self.conv1 = _convolution(in_channels, width, 3)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.layer1 = _stage(block, depths[0], width, width, stride=1)
        self.layer2 = _stage(block, depths[1], block.expansion * width, 2 * width, stride=2)
        self.layer3 = _stage(block, depths[2], block.expansion * 2 * width, 4 * width, stride=2)
        self.layer4 = _stage(block, depths[3], block.expansion * 4 * width, 8 * width, stride=2)
        self.fc = nn.Linear(block.expansion * 8 * width, classes)
        self.example_shape = (in_channels, 16, 16)  # any size from 8 on does: pixels are averaged
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(module.weight)
        nn.init.constant_(self.fc.bias, 0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, classes]`` of images ``[n, in_channels, height, width]``."""
        hidden = self.relu(self.bn1(self.conv1(images)))
        hidden = self.layer4(self.layer3(self.layer2(self.layer1(hidden))))
        logits: Tensor = self.fc(hidden.mean((2, 3)))
        return logits


def resnet18(width: int, in_channels: int = 3, classes: int = 10) -> ResNet:
    """ResNet-18: two basic blocks a stage. Parameters: see :class:`ResNet`."""
    return ResNet(BasicBlock, (2, 2, 2, 2), width, in_channels, classes)


def resnet50(width: int, in_channels: int = 3, classes: int = 10) -> ResNet:
    """ResNet-50: 3, 4, 6 and 3 bottleneck blocks a stage. Parameters: see :class:`ResNet`."""
    return ResNet(Bottleneck, (3, 4, 6, 3), width, in_channels, classes)
