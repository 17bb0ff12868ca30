"""The cache of decoded arrays: hit, changed source, damage, no room."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.hub_layout import write_images
from wslbench.datasets import _image_columns, _registry, load_dataset
from wslbench.datasets._array_cache import cached_arrays, file_key


class Build:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"inputs": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "labels": np.array([1, 2])}


def entry(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "cache" / "datasets").iterdir()
    return folder


def test_arrays_are_made_once_and_are_the_same(tmp_path: Path) -> None:
    build = Build()
    for _ in range(3):
        arrays = cached_arrays("x", ["key"], build)
        np.testing.assert_array_equal(arrays["inputs"], build()["inputs"])
        assert arrays["labels"].dtype == np.int64
        build.calls -= 1
    assert build.calls == 1
    assert sorted(path.name for path in entry(tmp_path).iterdir()) == ["inputs.npy", "labels.npy", "manifest.json"]


def test_another_key_is_another_entry() -> None:
    build = Build()
    for key in ("a", "b", "a"):
        cached_arrays("x", [key], build)
    assert build.calls == 2


def test_writing_into_an_array_leaves_the_entry_alone() -> None:
    build = Build()
    cached_arrays("x", ["key"], build)["inputs"][:] = 99
    assert cached_arrays("x", ["key"], build)["inputs"][0, 0, 1] == 1
    assert build.calls == 1


@pytest.mark.parametrize("name", ["inputs.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone", "pickle"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, name: str, damage: str) -> None:
    build = Build()
    cached_arrays("x", ["key"], build)
    path = entry(tmp_path) / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "pickle":
        np.save(path.with_suffix(".npy"), np.array([{"a": 1}]), allow_pickle=True)
        path.with_suffix(".npy").replace(path)
    else:
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        path.write_bytes({"cut": content[:-5], "flip": flipped, "empty": b""}[damage])
    np.testing.assert_array_equal(cached_arrays("x", ["key"], build)["inputs"], Build()()["inputs"])
    assert build.calls == 2
    cached_arrays("x", ["key"], build)
    assert build.calls == 2


def test_without_a_place_to_write_the_arrays_come_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("WSLBENCH_CACHE", str(tmp_path / "file"))
    np.testing.assert_array_equal(cached_arrays("x", ["key"], Build())["labels"], [1, 2])


def test_a_full_disk_leaves_no_half_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    np.testing.assert_array_equal(cached_arrays("x", ["key"], Build())["labels"], [1, 2])
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


def test_a_changed_file_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = file_key(path)
    assert file_key(path) == before
    os.utime(path, ns=(1, 1))
    assert file_key(path) != before


def test_images_are_decoded_once_until_their_files_change(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = _image_columns._decode

    def counting(encoded: bytes | None, image_set: object) -> np.ndarray:
        decoded.append(1)
        return decode(encoded, image_set)

    monkeypatch.setattr(_image_columns, "_decode", counting)
    write_images(data_folder, "cifar10", train=20, test=10)
    first = load_dataset("cifar10")
    _registry._load.cache_clear()
    second = load_dataset("cifar10")
    assert len(decoded) == 30
    np.testing.assert_array_equal(first.train_inputs, second.train_inputs)
    write_images(data_folder, "cifar10", train=20, test=10, seed=1)
    _registry._load.cache_clear()
    assert (load_dataset("cifar10").train_inputs != first.train_inputs).any()
    assert len(decoded) == 60
