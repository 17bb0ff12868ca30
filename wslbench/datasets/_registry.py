"""The data sets by name, and load_dataset: the one way to get at them."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from wslbench.datasets._dataset import AnyDataset
from wslbench.datasets._places import DATA_VARIABLE
from wslbench.errors import DatasetError

# name -> "module:function". Imported on first use; the function's parameters are the data set's arguments.
DATASETS: dict[str, str] = {
    "digits": "wslbench.datasets.digits:load",
    "mnist": "wslbench.datasets.images:mnist",
    "fashion_mnist": "wslbench.datasets.images:fashion_mnist",
    "cifar10": "wslbench.datasets.images:cifar10",
    "cifar100": "wslbench.datasets.images:cifar100",
    "svhn": "wslbench.datasets.images:svhn",
    "tiny_imagenet": "wslbench.datasets.images:tiny_imagenet",
    "tiny_shakespeare": "wslbench.datasets.tiny_shakespeare:load",
    "openwebtext": "wslbench.datasets.openwebtext:load",
    "convection": "wslbench.datasets.convection:load",
}


def load_dataset(name: str, **arguments: Any) -> AnyDataset:
    """Load a data set by name; the last few stay in memory.

    Parameters
    ----------
    name
        A key of :data:`DATASETS`.
    **arguments
        What the data set's loader takes: ``mean`` and ``std`` (images: a number, or one a channel), ``interior``
        (``convection``), ``limit_bytes`` (``openwebtext``).

    Raises
    ------
    DatasetError
        If no data set has that name, it takes no such argument, its files are not there (the message says what
        to fetch and where to put it) or they are damaged.
    """
    loader = _loader(name)
    allowed = list(inspect.signature(loader).parameters)
    for argument in arguments:
        if argument not in allowed:
            takes = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
            raise DatasetError(f"data set {name!r} has no argument {argument!r}: {takes}")
    try:
        # Another WSLBENCH_DATA may hold other files, so it is part of what a cached data set is known by.
        return _load(name, os.environ.get(DATA_VARIABLE), **{key: _hashable(given) for key, given in arguments.items()})
    except TypeError as error:
        if all(_is_plain(value) for value in arguments.values()):
            raise
        raise DatasetError(
            f"data set {name!r}: arguments are numbers, names and rows of numbers, not {arguments!r}"
        ) from error


@lru_cache(maxsize=4)
def _load(name: str, data_folder: str | None, /, **arguments: Any) -> AnyDataset:
    return _loader(name)(**arguments)


def _loader(name: str) -> Callable[..., AnyDataset]:
    if name not in DATASETS:
        raise DatasetError(f"unknown data set {name!r}: this wslbench knows {', '.join(sorted(DATASETS))}")
    module_name, function_name = DATASETS[name].split(":")
    loader: Callable[..., AnyDataset] = getattr(importlib.import_module(module_name), function_name)
    return loader


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
