"""The preprocessed files of the Model Zoo Dataset: ``.pt`` files of populations, read without unpickling.

Each holds a dictionary of ``trainset``, ``valset`` and ``testset``, pickled objects of a class ``ModelDatasetBase``:
with ``data_in`` (a state dict a checkpoint), ``epochs``, ``paths`` (the runs' folders) and, where they were asked for,
``properties`` (from key to a value a checkpoint). A stub stands for the class, and for paths; no other may be named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wslbench.errors import ZooFormatError
from wslbench.interop.archives import MOST_DIRECTORY_BYTES, open_archive
from wslbench.interop.tensors import exact
from wslbench.interop.torch_mapping import NotPlainError, Stub, map_objects
from wslbench.interop.tune_logs import PERFORMANCE
from wslbench.interop.tune_trees import column_of
from wslbench.zoo.models import FloatArray

_SETS = ("trainset", "valset", "testset")
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_CLASS = "ModelDatasetBase"


def preprocessed_files(source: Path) -> list[Path]:
    """The ``.pt`` files of a folder, in order of their names."""
    return sorted(path for path in source.glob("*.pt") if path.is_file() and not path.is_symlink())


def list_preprocessed(source: Path) -> pd.DataFrame:
    """A row a checkpoint of all files in a folder: ``file``, ``set``, ``line``, ``network``, ``epoch``, properties.

    Raises
    ------
    ZooFormatError
        If a file is malformed, or holds vectors instead of state dicts.
    """
    parts = [_rows(path, name) for path in preprocessed_files(source) for name in _sets(path)]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(network=pd.factorize(table["file"] + "/" + table["network"])[0])


def read_preprocessed(source: Path, rows: pd.DataFrame, rounded: bool) -> Iterator[Mapping[str, FloatArray]]:
    """The networks of some rows of the listing."""
    for file, name, line in zip(rows["file"], rows["set"], rows["line"], strict=True):
        path = source / file
        tensors = _sets(path)[name].attributes["data_in"][line]
        floating = {key: values for key, values in tensors.items() if values.dtype.kind not in "iub"}
        yield {key: exact(values, key, path, rounded) for key, values in floating.items()}


def shapes_of_preprocessed(source: Path, row: pd.Series[Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of one row of the listing, whether their values are finite or not."""
    tensors = _sets(source / row["file"])[row["set"]].attributes["data_in"][row["line"]]
    return {key: values.shape for key, values in tensors.items() if values.dtype.kind not in "iub"}


def _sets(path: Path) -> dict[str, Stub]:
    status = path.stat()
    return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, size: int, modified: int) -> dict[str, Stub]:
    """The sets of a file, kept: tensors in them are views, and it takes a while to lay them over the file."""
    with open_archive(path, stored=True, directory_bytes=MOST_DIRECTORY_BYTES) as archive:
        members = archive.infolist()
    try:
        content = map_objects(path, members, (_CLASS, *_PATHS))
    except NotPlainError as error:
        raise ZooFormatError(
            f"{path} is no preprocessed file of the Model Zoo Dataset, or names another class than {_CLASS}; "
            "nothing in it was executed. Take the tree of checkpoints"
        ) from error
    sets = {name: content[name] for name in _SETS if isinstance(content, dict) and content.get(name) is not None}
    if not sets or not all(isinstance(found, Stub) for found in sets.values()):
        raise ZooFormatError(f"{path} holds none of {', '.join(_SETS)}, or something else under these names")
    return sets


def _rows(path: Path, name: str) -> pd.DataFrame:
    attributes = _sets(path)[name].attributes
    models, epochs, paths = (attributes.get(key) for key in ("data_in", "epochs", "paths"))
    where = f"{path}, {name}"
    if not isinstance(models, list) or not all(_is_state(model) for model in models):
        raise ZooFormatError(f"{where} holds no state dicts (vectors lack the names): take the tree of checkpoints")
    if not (isinstance(epochs, list) and isinstance(paths, list) and len(epochs) == len(paths) == len(models)):
        raise ZooFormatError(f"{where} does not name an epoch and a path a checkpoint")
    runs = [_run(place, where) for place in paths]
    table = pd.DataFrame(
        {"file": path.name, "set": name, "line": np.arange(len(models)), "network": runs, "epoch": epochs}
    )
    properties = attributes.get("properties") or {}
    for key, values in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(key, str) or not isinstance(values, list) or len(values) != len(models):
            raise ZooFormatError(f"{where}: the property {key!r} has not a value a checkpoint")
        if all(isinstance(value, int | float | str) for value in values):
            table[key if key == "seed" else PERFORMANCE.get(key) or column_of(key)] = values
    return table


def _run(place: object, where: str) -> str:
    """The folder of a run, from its path."""
    parts = place.arguments if isinstance(place, Stub) else (place,)
    if not all(isinstance(part, str) for part in parts):
        raise ZooFormatError(f"{where}: a path is none")
    return "/".join(parts)


def _is_state(model: Any) -> bool:
    return isinstance(model, dict) and all(isinstance(tensor, np.ndarray) for tensor in model.values())
