"""State dicts from files that are not trusted: nothing in them is executed."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wslbench.errors import ZooFormatError
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
        raw = _READERS[path.suffix](path)
    except ZooFormatError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
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
    with np.load(path, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ZooFormatError(f"{path} is no .npz archive")
        return {name: archive[name] for name in archive.files}


def _read_torch(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    import torch

    return _from_torch(torch.load(path, map_location="cpu", weights_only=True), path)


def _read_safetensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _from_torch(load_file(path), path)
    except SafetensorError as error:
        raise ZooFormatError(f"{path} is no sound safetensors file: {error}") from error


def _from_torch(state: object, path: Path) -> dict[str, np.ndarray[Any, Any]]:
    import torch

    if not isinstance(state, Mapping):
        raise ZooFormatError(f"{path} holds a {type(state).__name__}, not a state dict")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ZooFormatError(f"{path}: entry {name!r} of the state dict is no tensor")
        plain = tensor.detach()
        arrays[name] = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return arrays


_READERS = {".npz": _read_npz, ".pt": _read_torch, ".safetensors": _read_safetensors}
