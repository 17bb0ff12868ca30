"""State dicts from files that are not trusted: nothing in them is executed, nothing larger than the file comes out."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np

from wslbench.errors import WeightsNotFiniteError, ZooDamagedError, ZooFormatError
from wslbench.interop.archives import open_archive, refuse_special
from wslbench.interop.npy_headers import npy_header
from wslbench.interop.torch_files import load_torch
from wslbench.interop.torch_mapping import NotPlainError, map_state, state_among
from wslbench.zoo._header import header_length, unique_keys
from wslbench.zoo.models import FloatArray

if TYPE_CHECKING:
    import torch

_WRAPPERS = ("module.", "_orig_mod.")  # of networks that were trained in parallel, and compiled ones
_MAX_ALIASES = 16  # tied tensors share a storage, so that all of them together may be larger than their file

Arrays = dict[str, np.ndarray[Any, Any]]
Sized = TypeVar("Sized", "np.ndarray[Any, Any]", "torch.Tensor")


def read_tensors(path: Path, rounded: bool = False) -> dict[str, FloatArray]:
    """The floating-point tensors of a ``.safetensors``, ``.pt``, ``.pth`` or ``.npz`` file, as float32, by name.

    Names lose what a wrapper around the network put before all of them. A file of torch may hold the state dict beside
    other things, under a name by custom. Whole numbers (counters, indices) are left out: zoos never store them. Tensors
    may be views of the mapped file.

    Parameters
    ----------
    rounded
        Whether numbers of more digits are rounded to float32.

    Raises
    ------
    WeightsNotFiniteError
        If a number is not finite.
    ZooFormatError
        If the file cannot be read without executing code, unfolds to far more than its size, holds something else
        than tensors, or a number that float32 cannot hold exactly.
    """
    if path.suffix not in _READERS:
        raise ZooFormatError(f"{path}: state dicts are read from {', '.join(_READERS)} files")
    return _read(path, _READERS[path.suffix], rounded)


def read_checkpoint(path: Path, rounded: bool = False) -> dict[str, FloatArray]:
    """As :func:`read_tensors`, of a file that ``torch.save`` wrote, whatever its name."""
    return _read(path, _read_torch, rounded)


def read_exported(path: Path) -> dict[str, FloatArray]:
    """As :func:`read_tensors`, of a ``.safetensors`` file whose names are the network's own, whatever they are."""
    return {name: exact(values, name, path) for name, values in _floating(path, _read_safetensors).items()}


def shapes_of_checkpoint(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that :func:`read_checkpoint` gives, whether their values are finite or not."""
    return {name: values.shape for name, values in _unwrapped(_floating(path, _read_torch)).items()}


def _read(path: Path, reader: Callable[[Path], Arrays], rounded: bool) -> dict[str, FloatArray]:
    return {name: exact(values, name, path, rounded) for name, values in _unwrapped(_floating(path, reader)).items()}


def _floating(path: Path, reader: Callable[[Path], Arrays]) -> Arrays:
    try:
        refuse_special(path)
        raw = reader(path)
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooFormatError(f"{path} cannot be read as a plain state dict: {reason}") from error
    floating = {name: values for name, values in raw.items() if values.dtype.kind not in "iub"}
    if not floating:
        raise ZooFormatError(f"{path} holds no floating-point tensor")
    return floating


def exact(values: np.ndarray[Any, Any], name: str, path: Path, rounded: bool = False) -> FloatArray:
    """Real numbers as float32.

    Parameters
    ----------
    rounded
        Whether they are rounded where they have more digits.

    Raises
    ------
    WeightsNotFiniteError
        If they are not finite.
    ZooFormatError
        If they are no real numbers, or float32 cannot hold them (exactly, or at all); names the file and the tensor.
    """
    if values.dtype.kind != "f":
        raise ZooFormatError(f"{path}: tensor {name!r} is {values.dtype}, not real numbers")
    if not np.isfinite(values).all():
        raise WeightsNotFiniteError(f"{path}: tensor {name!r} holds values that are not finite")
    if values.dtype == np.float32:
        return values.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if rounded:
        if not np.isfinite(single).all():
            raise ZooFormatError(f"{path}: tensor {name!r} holds numbers that are too large for float32")
    elif not np.array_equal(single, values):
        raise ZooFormatError(
            f"{path}: tensor {name!r} is {values.dtype} and float32 cannot hold it exactly: have it rounded (--round)"
        )
    return single


def _read_npz(path: Path) -> Arrays:
    with open_archive(path) as archive:
        return dict(_npz_entries(path, archive))


def _npz_entries(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    for entry in archive.infolist():
        with archive.open(entry) as file:
            try:
                shape, dtype, head = _npy_header(npy_header(file), path, entry.filename)
            except ZooFormatError:
                raise
            except Exception as error:  # the header is text in Python, and reading it may fail in any way
                raise ZooFormatError(f"{path}: the header of {entry.filename!r} cannot be read: {error}") from error
            # Room for the array is made before its values are read.
            if head + math.prod(shape) * dtype.itemsize != entry.file_size or dtype.itemsize == 0:
                raise ZooFormatError(f"{path}: the entry {entry.filename!r} is not as long as its header says")
        with archive.open(entry) as file:
            yield entry.filename.removesuffix(".npy"), np.lib.format.read_array(file, allow_pickle=False)


def _npy_header(file: IO[bytes], path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, dtype, and the bytes before the values."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ZooFormatError(f"{path}: the entry {name!r} holds a pickle, which is not executed")
    if any(size < 0 for size in shape):
        raise ZooFormatError(f"{path}: the entry {name!r} has an impossible shape")
    return shape, dtype, file.tell()


def _read_torch(path: Path) -> Arrays:
    if not zipfile.is_zipfile(path):
        raise ZooFormatError(
            f"{path} is no sound zip archive, which torch.save writes since version 1.6: load it and save it again"
        )
    with open_archive(path, stored=True) as archive:
        members = archive.infolist()
    try:
        return _bounded(map_state(path, members), path)
    except NotPlainError:
        return _from_torch(load_torch(path), path)


def _read_safetensors(path: Path) -> Arrays:
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


def _from_torch(state: object, path: Path) -> Arrays:
    import torch

    if not isinstance(state, Mapping):
        raise ZooFormatError(f"{path} holds a {type(state).__name__}, not a state dict")
    state = state_among(state)
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise ZooFormatError(f"{path}: the state dict has a {type(name).__name__} among its names")
        if not isinstance(tensor, torch.Tensor):
            raise ZooFormatError(f"{path}: entry {name!r} of the state dict is no tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise ZooFormatError(f"{path}: tensor {name!r} is not stored value by value")
    arrays: Arrays = {}
    for name, tensor in _bounded(dict(state), path).items():
        plain = tensor.detach()
        arrays[name] = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return arrays


def _bounded(tensors: dict[str, Sized], path: Path) -> dict[str, Sized]:
    """The tensors, none of which is larger than its file: strides of 0 make one of any size out of one number."""
    size, total = path.stat().st_size, 0
    for name, tensor in tensors.items():
        total += tensor.nbytes
        if tensor.nbytes > size or total > _MAX_ALIASES * size:
            raise ZooFormatError(f"{path}: its tensor {name!r} would unfold to more values than the file can hold")
    return tensors


def _unwrapped(arrays: Arrays) -> Arrays:
    """Names as the network itself has them, without what a wrapper around it puts before each.

    Counters are not among them any more: they say nothing about wrappers that the others do not.
    """
    for prefix in (*_WRAPPERS, *_WRAPPERS):
        if arrays and all(name.startswith(prefix) for name in arrays):
            arrays = {name.removeprefix(prefix): values for name, values in arrays.items()}
    return arrays


_READERS: dict[str, Callable[[Path], Arrays]] = {
    ".npz": _read_npz,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".safetensors": _read_safetensors,
}
