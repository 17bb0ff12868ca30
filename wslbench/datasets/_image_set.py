"""What is known of each image data set before any of its files is read.

Means and standard deviations are the ones in common use, taken over the train images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wslbench.datasets._hub import HubFiles
from wslbench.errors import DatasetError

Channels = float | tuple[float, ...] | None
"""A number for all channels, or one a channel; None: the one in common use."""


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """One image data set in the hub's parquet layout.

    Attributes
    ----------
    hub
        Where its files are to be had: first the train, then the test part's.
    configuration
        The repository's folder that holds them.
    image_column, label_column
        Columns: a struct with the encoded image as ``bytes``, and an integer.
    shape
        Channels, height, width of every image.
    classes
        Number of classes.
    train_size, test_size
        Number of images of the whole data set.
    mean, std
        A number a channel, on the 0 to 1 scale.
    test_prefix
        How the names of the test part's files start.
    grey_as_colour
        Whether grey images among coloured ones are expected; their channel is repeated.
    idx
        Whether the data set is also published as idx files.
    """

    hub: HubFiles
    configuration: str
    image_column: str = "image"
    label_column: str = "label"
    shape: tuple[int, int, int]
    classes: int
    train_size: int
    test_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    test_prefix: str = "test"
    grey_as_colour: bool = False
    idx: bool = False

    @property
    def name(self) -> str:
        """Its key in the registry."""
        return self.hub.data_set


def each_channel(image_set: ImageSet, name: str, values: float | tuple[float, ...]) -> tuple[float, ...]:
    """What ``mean`` or ``std`` was told to be, a number a channel.

    Raises
    ------
    DatasetError
        If there is neither one number nor one a channel, one is not finite, or a standard deviation is not above 0.
    """
    channels = image_set.shape[0]
    each = values if isinstance(values, tuple) else (values,) * channels
    sound = len(each) == channels and all(isinstance(value, int | float) and math.isfinite(value) for value in each)
    if not sound or (name == "std" and min(each) <= 0):
        wanted = "one number above 0" if name == "std" else "one number"
        raise DatasetError(
            f"data set {image_set.name!r}: {name} is {wanted}, or {channels} of them, on the 0 to 1 scale of the "
            f"pixels; not {values!r}"
        )
    return tuple(float(value) for value in each)


def _two_files(name: str, repository: str, folder: str) -> HubFiles:
    train, test = (f"{folder}/{part}-00000-of-00001.parquet" for part in ("train", "test"))
    return HubFiles(name, repository, (train, test), f"{folder}/t*.parquet")


MNIST = ImageSet(
    hub=_two_files("mnist", "ylecun/mnist", "mnist"),
    configuration="mnist",
    shape=(1, 28, 28),
    classes=10,
    train_size=60_000,
    test_size=10_000,
    mean=(0.1307,),
    std=(0.3081,),
    idx=True,
)
FASHION_MNIST = ImageSet(
    hub=_two_files("fashion_mnist", "zalando-datasets/fashion_mnist", "fashion_mnist"),
    configuration="fashion_mnist",
    shape=(1, 28, 28),
    classes=10,
    train_size=60_000,
    test_size=10_000,
    mean=(0.2860,),
    std=(0.3530,),
    idx=True,
)
CIFAR10 = ImageSet(
    hub=_two_files("cifar10", "uoft-cs/cifar10", "plain_text"),
    configuration="plain_text",
    image_column="img",
    shape=(3, 32, 32),
    classes=10,
    train_size=50_000,
    test_size=10_000,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)
CIFAR100 = ImageSet(
    hub=_two_files("cifar100", "uoft-cs/cifar100", "cifar100"),
    configuration="cifar100",
    image_column="img",
    label_column="fine_label",
    shape=(3, 32, 32),
    classes=100,
    train_size=50_000,
    test_size=10_000,
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
)
SVHN = ImageSet(
    hub=_two_files("svhn", "ufldl-stanford/svhn", "cropped_digits"),
    configuration="cropped_digits",
    shape=(3, 32, 32),
    classes=10,
    train_size=73_257,
    test_size=26_032,
    mean=(0.4377, 0.4438, 0.4728),
    std=(0.1980, 0.2010, 0.1970),
)
TINY_IMAGENET = ImageSet(
    hub=HubFiles(
        "tiny_imagenet",
        "zh-plus/tiny-imagenet",
        ("data/train-00000-of-00001-1359597a978bc4fa.parquet", "data/valid-00000-of-00001-70d52db3c749a935.parquet"),
        "data/*.parquet",
    ),
    configuration="data",
    shape=(3, 64, 64),
    classes=200,
    train_size=100_000,
    test_size=10_000,
    mean=(0.4802, 0.4481, 0.3975),
    std=(0.2770, 0.2691, 0.2821),
    test_prefix="val",  # the real test part was published without labels
    grey_as_colour=True,
)
