"""MNIST's own idx files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from wslbench.datasets import Dataset, load_dataset
from wslbench.errors import DatasetError

FILES = {
    "train-images-idx3-ubyte": (60, 28, 28),
    "train-labels-idx1-ubyte": (60,),
    "t10k-images-idx3-ubyte": (30, 28, 28),
    "t10k-labels-idx1-ubyte": (30,),
}


def idx(array: np.ndarray) -> bytes:
    """As http://yann.lecun.com/exdb/mnist describes the format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {name: generator.integers(0, 10, shape) for name, shape in FILES.items()}


@pytest.fixture
def folder(data_folder: Path) -> Path:
    target = data_folder / "mnist"
    target.mkdir()
    for name, array in arrays().items():
        (target / name).write_bytes(idx(array))
    return target


def test_plain_files_are_read(folder: Path) -> None:
    data, expected = load_dataset("mnist"), arrays()
    assert isinstance(data, Dataset)
    np.testing.assert_array_equal(data.train_inputs[:, 0], expected["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.test_labels, expected["t10k-labels-idx1-ubyte"])
    assert data.train_inputs.dtype == np.uint8
    assert data.train_labels.dtype == np.int64


def test_gzip_and_the_spelling_with_a_dot_are_read(data_folder: Path) -> None:
    target = data_folder / "fashion_mnist"
    target.mkdir()
    for name, array in arrays().items():
        dotted = name.replace("-idx", ".idx") if name.startswith("t10k") else name
        (target / f"{dotted}.gz").write_bytes(gzip.compress(idx(array)))
    data = load_dataset("fashion_mnist")
    assert isinstance(data, Dataset)
    np.testing.assert_array_equal(data.test_inputs[:, 0], arrays()["t10k-images-idx3-ubyte"])


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (IMAGES, b"", "does not start as an idx file of 3 dimensions"),
        (IMAGES, b"\x00\x00\x08", "does not start as an idx file"),
        (IMAGES, idx(np.zeros(60)), r"(00000803, not 00000801)"),
        (IMAGES, idx(np.zeros((60, 28, 28)))[:-1], "has less than the 47,040 bytes"),
        (IMAGES, idx(np.zeros((60, 28, 28))) + b"\x00", "has more than the 47,040 bytes"),
        (IMAGES, idx(np.zeros((60, 27, 28))), "announces 60 × 27 × 28 values; there should be 1 to 60000 × 28 × 28"),
        (IMAGES, b"\x00\x00\x08\x03" + b"\xff" * 12, "announces 4294967295"),
        (IMAGES, idx(np.zeros((0, 28, 28))), "announces 0"),
        (IMAGES, idx(np.zeros((59, 28, 28))), "has 59 images, but"),
        (LABELS, idx(np.full(60, 10)), "row 0 (from 0): label 10 is not a class from 0 to 9"),
    ],
)
def test_a_bad_file_is_named(folder: Path, name: str, content: bytes, reason: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{name}.*{re.escape(reason)}"):
        load_dataset("mnist")


@pytest.mark.parametrize("content", [gzip.compress(idx(np.zeros(60)))[:-20], b"not gzip at all"], ids=["cut", "text"])
def test_a_damaged_gzip_file_is_named(folder: Path, content: bytes) -> None:
    (folder / LABELS).unlink()
    (folder / f"{LABELS}.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{LABELS}.gz cannot be read"):
        load_dataset("mnist")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / LABELS).unlink()
    with pytest.raises(DatasetError, match=rf"has no {LABELS} \(or .gz\)"):
        load_dataset("mnist")
