"""State dicts from files that are not trusted: nothing in them is executed."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from wslbench.errors import ZooDamagedError, ZooFormatError
from wslbench.interop.archives import most_unfolded_bytes, open_archive, refuse_special
from wslbench.interop.torch_files import load_torch
from wslbench.zoo._header import header_length, unique_keys
from wslbench.zoo.models import FloatArray

SUFFIXES = (".safetensors", ".pt", ".npz")


def read_tensors(path: Path) -> dict[str, FloatArray]:
    """The floating-point tensors of a ``.safetensors``, ``.pt`` or ``.npz`` file, as float32, by name.

    Integers (counters, indices) are left out: zoos never store them.

    Raises
    ------
    ZooFormatError
        If the file cannot be read without executing code, holds something else than tensors, a number that is not
        finite, or one that float32 cannot hold exactly.
    """
    if path.suffix not in SUFFIXES:
        raise ZooFormatError(f"{path}: state dicts are read from {', '.join(SUFFIXES)} files")
    try:
        refuse_special(path)
        raw = _READERS[path.suffix](path)
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooFormatError(f"{path} cannot be read as a plain state dict: {reason}") from error
    return {name: _exact(values, name, path) for name, values in raw.items() if values.dtype.kind not in "iub"}


def _exact(values: np.ndarray[Any, Any], name: str, path: Path) -> FloatArray:
    if values.dtype.kind != "f":
        raise ZooFormatError(f"{path}: tensor {name!r} is {values.dtype}, not real numbers")
    if not np.isfinite(values).all():
        raise ZooFormatError(f"{path}: tensor {name!r} holds values that are not finite")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.array_equal(single, values):
        raise ZooFormatError(
            f"{path}: tensor {name!r} is {values.dtype} and float32 cannot hold it exactly: round it yourself first"
        )
    return single


def _read_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with open_archive(path) as archive:
        return dict(_npz_entries(path, archive))


def _npz_entries(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    for entry in archive.infolist():
        with archive.open(entry) as file:
            try:
                shape, dtype, head = _npy_header(file, path, entry.filename)
            except ZooFormatError:
                raise
            except Exception as error:  # the header is text in Python, and reading it may fail in any way
                raise ZooFormatError(f"{path}: the header of {entry.filename!r} cannot be read") from error
            # Room for the array is made before its values are read.
            if head + math.prod(shape) * dtype.itemsize != entry.file_size or dtype.itemsize == 0:
                raise ZooFormatError(f"{path}: the entry {entry.filename!r} is not as long as its header says")
        with archive.open(entry) as file:
            yield entry.filename.removesuffix(".npy"), np.lib.format.read_array(file, allow_pickle=False)


def _npy_header(file: IO[bytes], path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, dtype, and the bytes before the values."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ZooFormatError(f"{path}: the entry {name!r} is of an unknown version of .npy")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ZooFormatError(f"{path}: the entry {name!r} holds a pickle, which is not executed")
    if any(size < 0 for size in shape):
        raise ZooFormatError(f"{path}: the entry {name!r} has an impossible shape")
    return shape, dtype, file.tell()


def _read_torch(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return _from_torch(load_torch(path), path)


def _read_safetensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _check_safetensors_header(path)
    try:
        return _from_torch(load_file(path), path)
    except (SafetensorError, KeyError) as error:  # KeyError: a dtype that torch does not have
        raise ZooFormatError(f"{path} is no sound safetensors file: {error}") from error


def _check_safetensors_header(path: Path) -> None:
    """Check what the library lets pass: a header of a hundred megabytes, and a name that stands twice."""
    with path.open("rb") as file:
        try:
            length = header_length(file.read(8), path.stat().st_size, str(path))
            json.loads(file.read(length), object_pairs_hook=unique_keys)
        except (ZooDamagedError, ValueError, RecursionError) as error:
            raise ZooFormatError(f"{path} is no sound safetensors file: {error}") from error


def _from_torch(state: object, path: Path) -> dict[str, np.ndarray[Any, Any]]:
    import torch

    if not isinstance(state, Mapping):
        raise ZooFormatError(f"{path} holds a {type(state).__name__}, not a state dict")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    left = most_unfolded_bytes(path.stat().st_size)
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise ZooFormatError(f"{path}: the state dict has a {type(name).__name__} among its names")
        if not isinstance(tensor, torch.Tensor):
            raise ZooFormatError(f"{path}: entry {name!r} of the state dict is no tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise ZooFormatError(f"{path}: tensor {name!r} is not stored value by value")
        left -= tensor.numel() * tensor.element_size()  # strides of 0 make any number of values of a single one
        if left < 0:
            raise ZooFormatError(f"{path}: its tensors unfold to more values than the file can hold")
        plain = tensor.detach()
        arrays[name] = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return arrays


_READERS = {".npz": _read_npz, ".pt": _read_torch, ".safetensors": _read_safetensors}
