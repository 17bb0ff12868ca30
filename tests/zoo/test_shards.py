"""Shards: compared with the safetensors library, and fed with headers that lie."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from wslbench.errors import ZooDamagedError
from wslbench.zoo.shards import map_file, stack_size, tensors_to_fill, write_tensors

TENSORS = {
    "b.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a.bias": np.array([[1.5], [-2.5]], np.float32),
    "empty": np.empty((2, 0), np.float32),
}


def written(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    write_tensors(file, {name: tensor.shape for name, tensor in tensors.items()}, tensors.__getitem__, metadata)
    return file.getvalue()


def container(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: object, begin: object, end: object, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_the_safetensors_library_reads_what_we_write(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(written(TENSORS, {"k": "v"}))
    loaded = load_file(tmp_path / "x.safetensors")
    assert loaded.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(loaded[name], tensor)


def test_we_read_what_the_safetensors_library_writes(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"k": "v"})
    mapped = map_file(tmp_path / "x.safetensors", "x")
    assert mapped.metadata == {"k": "v"}
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(mapped.tensors[name], tensor)


def test_names_keep_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(written(TENSORS))
    assert list(map_file(tmp_path / "x", "x").tensors) == list(TENSORS)


def test_mapped_tensors_are_read_only_and_aligned_views(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(written(TENSORS))
    tensor = map_file(tmp_path / "x", "x").tensors["b.weight"]
    assert not tensor.flags.writeable
    assert not tensor.flags.owndata
    assert tensor.flags.aligned


def test_a_tensor_that_differs_from_its_announcement_is_refused() -> None:
    with pytest.raises(ValueError, match="announced with shape"):
        write_tensors(io.BytesIO(), {"a": (2, 2)}, lambda _: np.zeros((2, 3), np.float32))


def test_a_tensor_may_come_in_blocks_of_rows() -> None:
    blocks = {name: iter([tensor[:1], tensor[1:]]) for name, tensor in TENSORS.items()}
    file = io.BytesIO()
    write_tensors(file, {name: tensor.shape for name, tensor in TENSORS.items()}, blocks.__getitem__)
    assert file.getvalue() == written(TENSORS)


@pytest.mark.parametrize("blocks", [[(1, 2)], [(2, 2), (1, 2)], [(1, 2), (1, 3)]])
def test_blocks_that_differ_from_their_announcement_are_refused(blocks: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="announced with shape"):
        write_tensors(io.BytesIO(), {"a": (2, 2)}, lambda _: (np.zeros(shape, np.float32) for shape in blocks))


@pytest.mark.parametrize("refused", [None, errno.EOPNOTSUPP])
def test_a_file_that_is_filled_in_any_order_is_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    if refused is not None:  # as file systems do that cannot reserve room
        monkeypatch.setattr(os, "posix_fallocate", Mock(side_effect=OSError(refused, "not here")), raising=False)
    path = tmp_path / "x"
    with tensors_to_fill(path, {name: tensor.shape for name, tensor in TENSORS.items()}) as filled:
        for name in reversed(TENSORS):
            for row in reversed(range(len(TENSORS[name]))):
                filled[name][row] = TENSORS[name][row]
    assert path.read_bytes() == written(TENSORS)


def test_a_full_disk_is_told_before_anything_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "no room")
    monkeypatch.setattr(os, "posix_fallocate", Mock(side_effect=full), raising=False)
    with pytest.raises(OSError, match="no room"), tensors_to_fill(tmp_path / "x", {"a": (2, 2)}):
        pytest.fail("there is nothing to fill")


LIES = {
    "empty file": b"",
    "header longer than the file": (1000).to_bytes(8, "little") + b"{}",
    "header beyond 100 MB": (200_000_000).to_bytes(8, "little") + b"{}",
    "header length with the top bit set": b"\xff" * 8 + b"{}",
    "not JSON": container(b"{'a': 1}"),
    "not UTF-8": container(b'{"\xff": 1}'),
    "not an object": container([1, 2]),
    "nested without end": container(b"[" * 100_000),
    "numbers without end": container(b'{"a":' + b"9" * 10_000 + b"}"),
    "metadata not strings": container({"__metadata__": {"a": 1}}),
    "duplicate key": container(b'{"a":%s,"a":%s}' % ((json.dumps(entry([1], 0, 4)).encode(),) * 2), bytes(4)),
    "duplicate field": container(b'{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "unknown field": container({"a": {**entry([1], 0, 4), "more": 1}}, bytes(4)),
    "missing field": container({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "entry not an object": container({"a": 3}),
    "wrong dtype": container({"a": entry([2], 0, 8, "I32")}, bytes(8)),
    "negative offset": container({"a": entry([1], -4, 0)}, bytes(4)),
    "offsets reversed": container({"a": entry([1], 4, 0)}, bytes(4)),
    "offset not an integer": container({"a": entry([1], 0.0, 4)}, bytes(4)),
    "offset a boolean": container({"a": entry([0], False, False)}),
    "three offsets": container({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, bytes(8)),
    "shape does not fit offsets": container({"a": entry([2], 0, 4)}, bytes(4)),
    "negative shape": container({"a": entry([-1, -1], 0, 4)}, bytes(4)),
    "shape that overflows": container({"a": entry([2**32, 2**32], 0, 0)}),
    "empty shape that overflows": container({"a": entry([0, 2**62, 2**62], 0, 0)}),
    "too many dimensions": container({"a": entry([1] * 65, 0, 4)}, bytes(4)),
    "beyond the file": container({"a": entry([2], 0, 8)}, bytes(4)),
    "bytes left over": container({"a": entry([1], 0, 4)}, bytes(8)),
    "overlap": container({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
    "the same bytes twice": container({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, bytes(4)),
    "hole": container({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_a_header_that_lies_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ZooDamagedError, match="shard x"):
        map_file(tmp_path / "x", "shard x")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZooDamagedError, match="shard x cannot be read"):
        map_file(tmp_path / "absent", "shard x")


@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 100))
def test_any_changed_byte_gives_arrays_within_the_file_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int
) -> None:
    content = bytearray(written(TENSORS))
    content[position % len(content)] = value
    path = tmp_path_factory.mktemp("fuzz") / "x"
    path.write_bytes(content[: len(content) - cut])
    try:
        tensors = map_file(path, "x").tensors
    except ZooDamagedError:
        return
    assert sum(tensor.nbytes for tensor in tensors.values()) <= path.stat().st_size
    for tensor in tensors.values():
        tensor.sum()  # touches every byte


@pytest.mark.parametrize(
    "tensors",
    [{}, {"a": np.float32(1)}, {"a": np.zeros((2, 1), np.float32), "b": np.zeros((3, 1), np.float32)}],
    ids=["none", "scalar", "disagreeing"],
)
def test_a_stack_needs_one_number_of_models(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(ZooDamagedError, match="number of models"):
        stack_size(tensors, "x")
