"""The header of a safetensors file: parsed, and trusted in nothing.

The format (https://huggingface.co/docs/safetensors): 8 bytes little-endian length, that many bytes of JSON,
then the tensors. The library's numpy reader copies; to map a file we need offsets, so every claim of the
header is checked here before an array is laid over the file.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from wslbench.errors import ZooDamagedError

MAX_HEADER_BYTES = 4 * 2**20  # a few hundred tensors need kilobytes; JSON unfolds to 25 times its size in memory
_MAX_DIMENSIONS = 32
_MAX_ELEMENTS = 2**50  # far beyond any file; keeps products of sizes within numpy's integers
_ITEM_BYTES = 4


class TensorEntry(NamedTuple):
    """Where one float32 tensor stands: its shape, and its first byte counted from the end of the header."""

    shape: tuple[int, ...]
    begin: int


class Header(NamedTuple):
    """A validated header: entries and metadata, and where in the file the tensors begin."""

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]
    data_start: int


def header_length(prefix: bytes, file_bytes: int, label: str, most: int = MAX_HEADER_BYTES) -> int:
    """Length of the JSON header, from the first 8 bytes of a file; no more than ``most`` bytes are read."""
    if len(prefix) < 8:
        raise ZooDamagedError(f"{label} is damaged: {file_bytes} bytes are too few for a safetensors file")
    length = int.from_bytes(prefix[:8], "little")
    if length > most or 8 + length > file_bytes:
        raise ZooDamagedError(
            f"{label} is damaged: it announces a header of {length} bytes "
            f"(the file has {file_bytes}, at most {most} are read)"
        )
    return length


def parse_header(text: bytes, file_bytes: int, label: str) -> Header:
    """Parse a header and check that its tensors tile the rest of the file exactly.

    Raises
    ------
    ZooDamagedError
        If the JSON is malformed, a key stands twice, a dtype is not F32, a shape and its bytes disagree, or
        tensors overlap, leave holes or reach beyond the file.
    """
    try:
        raw = json.loads(text.decode("utf-8"), object_pairs_hook=unique_keys)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ZooDamagedError(f"{label} is damaged: its header is not valid JSON ({error})") from error
    if not isinstance(raw, dict):
        raise ZooDamagedError(f"{label} is damaged: its header is not a JSON object")
    metadata = raw.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ZooDamagedError(f"{label} is damaged: __metadata__ is not a map of strings")
    data_start = 8 + len(text)
    tensors: dict[str, TensorEntry] = {}
    cursor = 0
    for name, entry, begin, end in sorted(_spans(raw, label), key=lambda span: (span[2], span[3])):
        if begin != cursor:
            trouble = "overlaps the one before it" if begin < cursor else "leaves a hole before it"
            raise ZooDamagedError(f"{label} is damaged: tensor {name!r} {trouble}")
        tensors[name] = entry
        cursor = end
    if data_start + cursor != file_bytes:
        raise ZooDamagedError(
            f"{label} is damaged: its header describes {data_start + cursor} bytes, the file has {file_bytes}"
        )
    return Header(tensors, metadata, data_start)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An ``object_pairs_hook`` of :mod:`json` that refuses a key that stands twice."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice")
    return content


def _spans(raw: dict[str, Any], label: str) -> list[tuple[str, TensorEntry, int, int]]:
    spans = []
    for name, entry in raw.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ZooDamagedError(f"{label} is damaged: tensor {name!r} is not described by dtype, shape, data_offsets")
        if entry["dtype"] != "F32":
            raise ZooDamagedError(f"{label}: tensor {name!r} has dtype {entry['dtype']!r}; zoos hold F32 alone")
        shape, offsets = entry["shape"], entry["data_offsets"]
        if (
            not _naturals(shape)
            or len(shape) > _MAX_DIMENSIONS
            or math.prod(max(size, 1) for size in shape) > _MAX_ELEMENTS
        ):
            raise ZooDamagedError(f"{label} is damaged: tensor {name!r} has an impossible shape")
        if not _naturals(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != _ITEM_BYTES * math.prod(shape):
            raise ZooDamagedError(f"{label} is damaged: tensor {name!r} has offsets that do not fit its shape")
        spans.append((name, TensorEntry(tuple(shape), offsets[0]), offsets[0], offsets[1]))
    return spans


def _naturals(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
