"""Image data sets in the hub's layout: what is read is what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.hub_layout import LAYOUTS, draw, encoded, image_table, write_images
from wslbench.datasets import Dataset, load_dataset
from wslbench.errors import DatasetError


def load(name: str) -> Dataset:
    data = load_dataset(name)
    assert isinstance(data, Dataset)
    return data


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_data_set_is_read_pixel_by_pixel(name: str, data_folder: Path) -> None:
    write_images(data_folder, name, train=30, test=12, seed=7)
    data = load(name)
    _, _, _, _, channels, side, classes = LAYOUTS[name]
    generator = np.random.default_rng([7, len(name)])
    drawn = np.stack([draw(i % 10, channels, side, generator).reshape(side, side, channels) for i in range(42)])
    assert data.train_inputs.dtype == np.uint8
    assert data.train_inputs.shape == (30, channels, side, side)
    np.testing.assert_array_equal(data.train_inputs, drawn[:30].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(data.test_labels, np.arange(12) % 10)
    assert data.test_labels.dtype == np.int64
    assert data.classes == classes
    assert data.mean is not None
    assert data.std is not None
    assert len(data.mean) == len(data.std) == channels


def test_pixels_can_be_normalised_as_somebody_else_did(data_folder: Path) -> None:
    write_images(data_folder, "cifar10", train=3, test=2)
    usual = load("cifar10")
    told = load_dataset("cifar10", mean=0.5, std=[0.2, 0.25, 0.3])
    assert isinstance(told, Dataset)
    assert (told.mean, told.std) == ((0.5, 0.5, 0.5), (0.2, 0.25, 0.3))
    assert usual.mean == (0.4914, 0.4822, 0.4465)
    np.testing.assert_array_equal(told.train_inputs, usual.train_inputs)


@pytest.mark.parametrize(
    ("argument", "value", "wanted"),
    [
        ("mean", [0.5, 0.5], "mean is one number, or 3 of them"),
        ("mean", float("nan"), "mean is one number, or 3 of them"),
        ("std", 0, "std is one number above 0, or 3 of them"),
        ("std", [0.2, 0.2, -0.2], "std is one number above 0, or 3 of them"),
        ("std", "unit", r"scale of the pixels; not 'unit'"),
    ],
)
def test_what_no_pixels_could_be_normalised_by_is_refused(argument: str, value: object, wanted: str) -> None:
    with pytest.raises(DatasetError, match=wanted):
        load_dataset("cifar10", **{argument: value})


def test_shards_are_read_in_order_and_a_missing_one_is_noticed(data_folder: Path) -> None:
    whole = write_images(data_folder / "whole", "cifar10", train=40, test=9)
    sharded = write_images(data_folder, "cifar10", train=40, test=9, shards=3)
    data = load("cifar10")
    assert data.train_inputs.shape[0] == 40
    table = pq.read_table(whole / "plain_text" / "train-00000-of-00001.parquet")
    np.testing.assert_array_equal(data.train_labels, table["label"].to_numpy())
    (sharded / "plain_text" / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DatasetError, match=r"has 2 of the 3 parquet files train-\*-of-00003; number 00001 is missing"):
        load_again("cifar10")


def load_again(name: str) -> Dataset:
    """Past the cache in memory."""
    from wslbench.datasets import _registry

    _registry._load.cache_clear()
    return load(name)


def test_files_may_lie_flat_or_in_a_folder_a_part(data_folder: Path) -> None:
    nested = write_images(data_folder, "svhn") / "cropped_digits"
    expected = load("svhn").train_inputs
    for part in ("train", "test"):
        (data_folder / "svhn" / part).mkdir()
        (nested / f"{part}-00000-of-00001.parquet").rename(data_folder / "svhn" / part / "0000.parquet")
    nested.rmdir()
    np.testing.assert_array_equal(load_again("svhn").train_inputs, expected)
    for part in ("train", "test"):
        (data_folder / "svhn" / part / "0000.parquet").rename(data_folder / "svhn" / f"{part}.parquet")
    np.testing.assert_array_equal(load_again("svhn").train_inputs, expected)


def test_a_sub_folder_of_another_configuration_and_hidden_files_are_not_read(data_folder: Path) -> None:
    write_images(data_folder, "svhn", train=30)
    for other in ("full_numbers", ".cache"):
        target = data_folder / "svhn" / other / "train-00000-of-00001.parquet"
        target.parent.mkdir()
        target.write_bytes(b"not to be opened")
    assert len(load("svhn").train_inputs) == 30


def test_grey_images_of_tiny_imagenet_become_colour_ones(data_folder: Path) -> None:
    generator = np.random.default_rng(0)
    grey, colour = draw(3, 1, 64, generator), draw(4, 3, 64, generator)
    folder = write_images(data_folder, "tiny_imagenet")
    table = image_table([encoded(grey), encoded(colour)], np.array([3, 4]), "image", "label")
    pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet")
    pixels = load("tiny_imagenet").train_inputs
    np.testing.assert_array_equal(pixels[0], np.stack([grey] * 3))
    np.testing.assert_array_equal(pixels[1], colour.transpose(2, 0, 1))


def test_jpeg_images_and_large_binary_columns_are_read(data_folder: Path) -> None:
    generator = np.random.default_rng(0)
    drawn = [draw(label, 3, 32, generator) for label in range(5)]
    folder = write_images(data_folder, "cifar10")
    table = image_table([encoded(pixels, "JPEG") for pixels in drawn], np.arange(5), "img", "label")
    large = pa.struct([("bytes", pa.large_binary()), ("path", pa.string())])
    table = table.set_column(0, "img", table["img"].cast(large)).cast(pa.schema([("img", large), ("label", pa.int8())]))
    pq.write_table(table, folder / "plain_text" / "train-00000-of-00001.parquet")
    pixels = load("cifar10").train_inputs.transpose(0, 2, 3, 1)
    assert np.abs(pixels.astype(int) - np.stack(drawn).astype(int)).mean() < 12  # JPEG loses a little of the noise


def test_the_drawn_classes_can_be_told_apart(data_folder: Path) -> None:
    write_images(data_folder, "cifar10", train=200, test=100)
    data = load("cifar10")
    means = np.stack([data.train_inputs[data.train_labels == k].mean(0).ravel() for k in range(10)])
    distances = ((data.test_inputs.reshape(100, 1, -1) - means) ** 2).sum(-1)
    assert (distances.argmin(1) == data.test_labels).mean() > 0.95
