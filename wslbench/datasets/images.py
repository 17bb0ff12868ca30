"""The image data sets: MNIST and its kin, CIFAR, SVHN and Tiny ImageNet, as uint8 pixels.

Files come from ``$WSLBENCH_DATA/<name>/`` or else from the hub; decoded parquet is kept in the cache folder.

Networks that were trained elsewhere may have seen pixels that were normalised otherwise: every data set takes ``mean``
and ``std``, on the 0 to 1 scale, a number for all channels or one a channel. Left out, they are the ones in common use.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wslbench.datasets import _idx, _image_columns
from wslbench.datasets import _image_set as known
from wslbench.datasets._array_cache import Arrays, cached_arrays, file_key
from wslbench.datasets._dataset import Dataset
from wslbench.datasets._image_set import Channels, ImageSet, each_channel
from wslbench.datasets._places import local_folder
from wslbench.datasets._shards import split_files
from wslbench.errors import DatasetError


def mnist(mean: Channels = None, std: Channels = None) -> Dataset:
    """28 × 28 grey handwritten digits (LeCun, Cortes & Burges): 60,000 and 10,000."""
    return _load(known.MNIST, mean, std)


def fashion_mnist(mean: Channels = None, std: Channels = None) -> Dataset:
    """28 × 28 grey pieces of clothing (Xiao, Rasul & Vollgraf 2017): 60,000 and 10,000."""
    return _load(known.FASHION_MNIST, mean, std)


def cifar10(mean: Channels = None, std: Channels = None) -> Dataset:
    """32 × 32 colour photographs of 10 classes (Krizhevsky 2009): 50,000 and 10,000."""
    return _load(known.CIFAR10, mean, std)


def cifar100(mean: Channels = None, std: Channels = None) -> Dataset:
    """32 × 32 colour photographs of 100 classes, the fine ones (Krizhevsky 2009): 50,000 and 10,000."""
    return _load(known.CIFAR100, mean, std)


def svhn(mean: Channels = None, std: Channels = None) -> Dataset:
    """32 × 32 cropped colour house-number digits (Netzer et al. 2011): 73,257 and 26,032, "extra" left out."""
    return _load(known.SVHN, mean, std)


def tiny_imagenet(mean: Channels = None, std: Channels = None) -> Dataset:
    """64 × 64 colour photographs of 200 classes: 100,000, and the 10,000 of the validation part as test part."""
    return _load(known.TINY_IMAGENET, mean, std)


def _load(image_set: ImageSet, mean: Channels, std: Channels) -> Dataset:
    # Told wrongly, they are refused before any file is read; and they are no part of what the cache knows images by.
    means = image_set.mean if mean is None else each_channel(image_set, "mean", mean)
    deviations = image_set.std if std is None else each_channel(image_set, "std", std)
    return replace(_as_published(image_set), mean=means, std=deviations)


def _as_published(image_set: ImageSet) -> Dataset:
    folder = local_folder(image_set.name)
    if folder is None:
        train, test = ([image_set.hub.fetch(file)] for file in image_set.hub.files)
        return _from_parquet(image_set, train, test)
    train = split_files(folder, image_set.configuration, "train")
    test = split_files(folder, image_set.configuration, image_set.test_prefix)
    if train and test:
        return _from_parquet(image_set, train, test)
    if image_set.idx and not train and not test:
        train_idx, test_idx = _idx.find(folder, "train"), _idx.find(folder, "t10k")
        if train_idx and test_idx:
            return _from_idx(image_set, train_idx, test_idx)
    wanted = f"train*.parquet and {image_set.test_prefix}*.parquet"
    or_idx = " (or train- and t10k-images-idx3-ubyte, -labels-idx1-ubyte, with or without .gz)" if image_set.idx else ""
    raise DatasetError(
        f"data set {image_set.name!r}: {folder} does not hold {wanted}{or_idx}. To get them, "
        f"{image_set.hub.how_to_get_them}"
    )


def _from_parquet(image_set: ImageSet, train: list[Path], test: list[Path]) -> Dataset:
    def decode() -> Arrays:
        train_inputs, train_labels = _image_columns.read(train, image_set, image_set.train_size)
        test_inputs, test_labels = _image_columns.read(test, image_set, image_set.test_size)
        return {
            "train_inputs": train_inputs,
            "train_labels": train_labels,
            "test_inputs": test_inputs,
            "test_labels": test_labels,
        }

    key = [image_set, *("train " + file_key(path) for path in train), *("test " + file_key(path) for path in test)]
    return _dataset(image_set, cached_arrays(image_set.name, key, decode))


def _from_idx(image_set: ImageSet, train: tuple[Path, Path], test: tuple[Path, Path]) -> Dataset:
    train_inputs, train_labels = _idx.read(*train, image_set, image_set.train_size)
    test_inputs, test_labels = _idx.read(*test, image_set, image_set.test_size)
    arrays: Arrays = {
        "train_inputs": train_inputs,
        "train_labels": train_labels,
        "test_inputs": test_inputs,
        "test_labels": test_labels,
    }
    return _dataset(image_set, arrays)


def _dataset(image_set: ImageSet, arrays: Arrays) -> Dataset:
    return Dataset(image_set.name, **arrays, classes=image_set.classes, mean=image_set.mean, std=image_set.std)
