"""Shards: float32 tensors in a safetensors file, written as a stream and mapped without a copy."""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from wslbench.errors import ZooDamagedError
from wslbench.zoo._header import header_length, parse_header
from wslbench.zoo.models import FloatArray

_ALIGNMENT = 64  # a cache line; readers of the format skip the padding


class MappedTensors(NamedTuple):
    """A mapped file: read-only arrays by name, and the metadata of its header."""

    tensors: dict[str, FloatArray]
    metadata: dict[str, str]


def write_tensors(
    file: BinaryIO,
    shapes: Mapping[str, tuple[int, ...]],
    tensor: Callable[[str], FloatArray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors one after the other, so that only one of them is in memory at a time.

    Parameters
    ----------
    file
        Open for binary writing.
    shapes
        Full shape of each tensor, in the order in which they are written.
    tensor
        Called once with each name; returns the array.
    metadata
        Strings for the header.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    cursor = 0
    for name, shape in shapes.items():
        end = cursor + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [cursor, end]}
        cursor = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name, shape in shapes.items():
        values = np.ascontiguousarray(tensor(name), dtype="<f4")
        if values.shape != tuple(shape):
            raise ValueError(f"tensor {name!r} was announced with shape {tuple(shape)} and came with {values.shape}")
        file.write(values.reshape(-1).view(np.uint8).data)


def map_file(path: Path, label: str) -> MappedTensors:
    """Map a file by path; ``label`` is what errors call it."""
    try:
        with path.open("rb") as file:
            return map_descriptor(file.fileno(), label)
    except OSError as error:
        raise ZooDamagedError(f"{label} cannot be read: {error.strerror}") from error


def map_descriptor(descriptor: int, label: str) -> MappedTensors:
    """Map an open file, from its validated header; the descriptor may be closed afterwards.

    Raises
    ------
    ZooDamagedError
        If the header lies about the file, or a tensor is not float32.
    """
    size = os.fstat(descriptor).st_size
    length = header_length(os.pread(descriptor, 8, 0), size, label)
    header = parse_header(os.pread(descriptor, length, 8), size, label)
    memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    tensors = {
        name: np.frombuffer(memory, "<f4", math.prod(entry.shape), header.data_start + entry.begin).reshape(entry.shape)
        for name, entry in header.tensors.items()
    }
    return MappedTensors(tensors, header.metadata)


def stack_size(tensors: Mapping[str, FloatArray], label: str) -> int:
    """How many models a stack of tensors holds: the first dimension, on which all have to agree."""
    sizes = {tensor.shape[0] if tensor.ndim else -1 for tensor in tensors.values()}
    if len(sizes) != 1 or -1 in sizes:
        raise ZooDamagedError(f"{label} is damaged: its tensors do not agree on the number of models")
    return sizes.pop()
