"""The readers on the real thing, where it lies on this machine; nothing depends on it.

WSLBENCH_TEST_DATA names a folder of data sets; without it, one beside the checkout is looked for.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from wslbench.datasets import TextDataset, _image_columns, load_dataset
from wslbench.datasets._image_set import CIFAR10

BESIDE = Path(__file__).parents[3] / "shared" / "data"
REAL = Path(os.environ.get("WSLBENCH_TEST_DATA") or BESIDE)


def folder(name: str) -> Path:
    if not (REAL / name).is_dir():
        pytest.skip(f"no real {name} on this machine")
    return REAL / name


def test_cifar10s_test_part_has_a_thousand_images_a_class_and_the_known_mean() -> None:
    pixels, labels = _image_columns.read(sorted(folder("cifar10").rglob("test*.parquet")), CIFAR10, 10_000)
    assert np.bincount(labels).tolist() == [1000] * 10
    np.testing.assert_allclose(pixels.mean((0, 2, 3)) / 255, CIFAR10.mean, atol=0.006)


def test_tiny_shakespeare_has_65_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    folder("tiny_shakespeare")
    monkeypatch.setenv("WSLBENCH_DATA", str(REAL))
    data = load_dataset("tiny_shakespeare")
    assert isinstance(data, TextDataset)
    assert data.vocabulary == 65
    assert (len(data.train_tokens), len(data.test_tokens)) == (1_003_854, 111_540)
