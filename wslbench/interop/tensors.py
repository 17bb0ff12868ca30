"""State dicts from files that are not trusted: nothing in them is executed, nothing larger than the file comes out."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from wslbench.errors import ZooDamagedError, ZooFormatError
from wslbench.interop.archives import check_archive
from wslbench.interop.torch_files import NotPlainError, map_state
from wslbench.zoo._header import header_length
from wslbench.zoo.models import FloatArray

if TYPE_CHECKING:
    import torch

_WRAPPERS = ("module.", "_orig_mod.")  # of networks that were trained in parallel, and compiled ones
_MAX_ALIASES = 16  # tied tensors share a storage, so that all of them together may be larger than their file

Arrays = dict[str, np.ndarray[Any, Any]]
Sized = TypeVar("Sized", "np.ndarray[Any, Any]", "torch.Tensor")


def read_tensors(path: Path) -> dict[str, FloatArray]:
    """The floating-point tensors of a ``.safetensors``, ``.pt``, ``.pth`` or ``.npz`` file, as float32, by name.

    Whole numbers (counters, indices) are left out: zoos never store them. Tensors may be views of the mapped file.

    Raises
    ------
    ZooFormatError
        If the file cannot be read without executing code, unfolds to far more than its size, holds something else
        than tensors, a number that is not finite, or one that float32 cannot hold exactly.
    """
    if path.suffix not in _READERS:
        raise ZooFormatError(f"{path}: state dicts are read from {', '.join(_READERS)} files")
    return _read(path, _READERS[path.suffix])


def read_checkpoint(path: Path) -> dict[str, FloatArray]:
    """As :func:`read_tensors`, of a file that ``torch.save`` wrote, whatever its name."""
    return _read(path, _read_torch)


def _read(path: Path, reader: Callable[[Path], Arrays]) -> dict[str, FloatArray]:
    try:
        raw = reader(path)
    except ZooFormatError:
        raise
    except (
        OSError, ValueError, EOFError, RuntimeError, MemoryError, RecursionError, KeyError, AttributeError, TypeError,
        IndexError, OverflowError, ZooDamagedError, zipfile.BadZipFile, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooFormatError(f"{path} cannot be read as a plain state dict: {reason}") from error
    floating = {name: values for name, values in raw.items() if values.dtype.kind not in "iub"}
    if not floating:
        raise ZooFormatError(f"{path} holds no floating-point tensor")
    return {name: exact(values, name, path) for name, values in floating.items()}


def exact(values: np.ndarray[Any, Any], name: str, path: Path) -> FloatArray:
    """Real numbers as float32.

    Raises
    ------
    ZooFormatError
        If they are none, are not finite, or float32 cannot hold them exactly; names the file and the tensor.
    """
    if values.dtype.kind != "f":
        raise ZooFormatError(f"{path}: tensor {name!r} is {values.dtype}, not real numbers")
    if not np.isfinite(values).all():
        raise ZooFormatError(f"{path}: tensor {name!r} holds values that are not finite: leave this network out")
    if values.dtype == np.float32:
        return values.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.array_equal(single, values):
        raise ZooFormatError(
            f"{path}: tensor {name!r} is {values.dtype} and float32 cannot hold it exactly: round it yourself first"
        )
    return single


def _read_npz(path: Path) -> Arrays:
    arrays: Arrays = {}
    members = check_archive(path)
    with zipfile.ZipFile(path) as archive:
        for member in members:
            if not member.filename.endswith(".npy"):
                raise ZooFormatError(f"{path}: member {member.filename!r} is no array")
            with archive.open(member) as file:
                arrays[member.filename.removesuffix(".npy")] = _read_npy(file, member, path)
    return arrays


def _read_npy(file: Any, member: zipfile.ZipInfo, path: Path) -> np.ndarray[Any, Any]:
    """One array, whose header is believed only where it agrees with the archive: numpy makes room before it reads."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ZooFormatError(f"{path}: member {member.filename!r} is of an unknown version of .npy")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    if dtype.hasobject:
        raise ZooFormatError(f"{path}: member {member.filename!r} holds pickled objects, which are never read")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or file.tell() + count * dtype.itemsize != member.file_size:
        raise ZooFormatError(f"{path}: member {member.filename!r} announces a shape {shape} that it does not have")
    values = np.frombuffer(file.read(), dtype, count)
    return values.reshape(shape, order="F" if fortran_order else "C")


def _read_torch(path: Path) -> Arrays:
    mapped = zipfile.is_zipfile(path)  # files from before torch 1.6 are none, and cannot be mapped
    if mapped:
        members = check_archive(path, stored=True)
        try:
            return _unwrapped(_bounded(map_state(path, members), path))
        except NotPlainError:
            pass
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    return _unwrapped(_from_torch(state, path))


def _read_safetensors(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with path.open("rb") as file:
        header_length(file.read(8), path.stat().st_size, str(path))
    try:
        return _from_torch(load_file(path), path)
    except SafetensorError as error:
        raise ZooFormatError(f"{path} is no sound safetensors file: {error}") from error


def _from_torch(state: object, path: Path) -> Arrays:
    import torch

    if not isinstance(state, Mapping):
        raise ZooFormatError(f"{path} holds a {type(state).__name__}, not a state dict")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ZooFormatError(f"{path}: entry {name!r} of the state dict is no tensor")
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
            raise ZooFormatError(f"{path} has {size} bytes, and its tensor {name!r} would unfold to more")
    return tensors


def _unwrapped(arrays: Arrays) -> Arrays:
    """Names as the network itself has them, without what a wrapper around it puts before each."""
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
