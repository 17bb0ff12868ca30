"""Shards: float32 tensors in a safetensors file, written as a stream and mapped without a copy."""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from wslbench.errors import ZooDamagedError
from wslbench.zoo._header import MAX_HEADER_BYTES, header_length, parse_header
from wslbench.zoo.models import FloatArray

_ALIGNMENT = 64  # a cache line; readers of the format skip the padding
_ZEROS = 2**20


class MappedTensors(NamedTuple):
    """A mapped file: read-only arrays by name, and the metadata of its header."""

    tensors: dict[str, FloatArray]
    metadata: dict[str, str]


def write_tensors(
    file: BinaryIO,
    shapes: Mapping[str, tuple[int, ...]],
    tensor: Callable[[str], FloatArray | Iterator[FloatArray]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors one after the other, so that only one of them, or a block of it, is in memory at a time.

    Parameters
    ----------
    file
        Open for binary writing.
    shapes
        Full shape of each tensor, in the order in which they are written.
    tensor
        Called once with each name; returns the array, or its blocks along the first axis, one after the other.
    metadata
        Strings for the header.
    """
    file.write(_head(shapes, metadata))
    for name, shape in shapes.items():
        given = tensor(name)
        rows = 0
        for block in (given,) if isinstance(given, np.ndarray) else given:
            values = np.ascontiguousarray(block, dtype="<f4")
            if values.shape[1:] != tuple(shape[1:]):
                raise ValueError(f"tensor {name!r} was announced with shape {tuple(shape)}, and holds {values.shape}")
            file.write(values.reshape(-1).view(np.uint8).data)
            rows += len(values)
        if rows != shape[0]:
            raise ValueError(f"tensor {name!r} was announced with shape {tuple(shape)} and came with {rows} rows")


@contextmanager
def tensors_to_fill(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, FloatArray]]:
    """A new file of tensors, mapped so that they can be filled in any order; what is written is no anonymous memory.

    Parameters
    ----------
    path
        Written over if it exists.
    shapes
        Full shape of each tensor, in the order in which they stand in the file.

    Returns
    -------
    The tensors by name, zeros at first; on disk when the context is left.

    Raises
    ------
    OSError
        If there is no room for the file.
    """
    head = _head(shapes)
    with path.open("w+b") as file:
        file.write(head)
        file.flush()
        _take_room(file, len(head), 4 * sum(math.prod(shape) for shape in shapes.values()))
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE)
    tensors = {}
    cursor = len(head)
    for name, shape in shapes.items():
        tensors[name] = np.frombuffer(memory, "<f4", math.prod(shape), cursor).reshape(shape)
        cursor += tensors[name].nbytes
    yield tensors
    memory.flush()


def _take_room(file: BinaryIO, offset: int, count: int) -> None:
    """Make the file longer by bytes that are on disk: writing through a map where the disk is full kills a process."""
    try:
        os.posix_fallocate(file.fileno(), offset, count)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        for first in range(0, count, _ZEROS):  # macOS, and file systems that cannot
            file.write(bytes(min(_ZEROS, count - first)))
        file.flush()


def _head(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] | None = None) -> bytes:
    """What a file begins with: the length of the header, and the header, padded."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    cursor = 0
    for name, shape in shapes.items():
        end = cursor + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [cursor, end]}
        cursor = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def map_file(path: Path, label: str) -> MappedTensors:
    """Map a file by path; ``label`` is what errors call it."""
    try:
        with path.open("rb") as file:
            return map_descriptor(file.fileno(), label)
    except OSError as error:
        raise ZooDamagedError(f"{label} cannot be read: {error.strerror}") from error


def map_descriptor(descriptor: int, label: str, max_header: int = MAX_HEADER_BYTES) -> MappedTensors:
    """Map an open file, from its validated header; the descriptor may be closed afterwards.

    A header of more than ``max_header`` bytes is not read.

    Raises
    ------
    ZooDamagedError
        If the header lies about the file, or a tensor is not float32.
    """
    size = os.fstat(descriptor).st_size
    length = header_length(os.pread(descriptor, 8, 0), size, label, max_header)
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
