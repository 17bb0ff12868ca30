"""The small convolutional network of the digits zoos: three conv–norm–ReLU blocks and a linear read-out."""

from __future__ import annotations

from torch import Tensor, nn

from wslbench.architectures._checks import positive


class CNN(nn.Module):
    """conv3×3(c→w)–BN–ReLU, conv3×3/2(w→2w)–BN–ReLU, conv3×3/2(2w→2w)–BN–ReLU, flatten, linear.

    Convolutions carry no bias: batch norm subtracts it again, and a bias without gradient would shrink by
    weight decay alone and so spell out the learning rate.

    Parameters
    ----------
    width
        Channels w of the first block; the zoo's load.
    in_channels
        Channels c of an image.
    image_size
        Height and width of an image, in pixels.
    classes
        Number of logits.
    """

    def __init__(self, width: int, in_channels: int = 1, image_size: int = 8, classes: int = 10) -> None:
        super().__init__()
        positive(width=width, in_channels=in_channels, image_size=image_size, classes=classes)
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.conv3 = nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(2 * width)
        self.relu = nn.ReLU()
        self.example_shape = (in_channels, image_size, image_size)
        final_size = (image_size + 3) // 4  # two convolutions of stride 2
        self.fc = nn.Linear(2 * width * final_size**2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, classes]`` of images ``[n, in_channels, image_size, image_size]``."""
        hidden = self.relu(self.bn1(self.conv1(images)))
        hidden = self.relu(self.bn2(self.conv2(hidden)))
        hidden = self.relu(self.bn3(self.conv3(hidden)))
        logits: Tensor = self.fc(hidden.flatten(1))
        return logits
