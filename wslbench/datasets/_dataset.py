"""Dataset: arrays of inputs and labels with a fixed train and test part, and the registry of loaders."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wslbench.errors import DatasetError

# name -> "module:function". Imported on first use.
DATASETS: dict[str, str] = {
    "digits": "wslbench.datasets.digits:load",
}


@dataclass(frozen=True)
class Dataset:
    """A classification data set in memory.

    Attributes
    ----------
    name
        Its key in :data:`DATASETS`.
    train_inputs, test_inputs
        float32 ``[n, channels, height, width]``.
    train_labels, test_labels
        int64 ``[n]``, from 0 to ``classes - 1``.
    classes
        Number of classes.
    """

    name: str
    train_inputs: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_inputs: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    classes: int


@lru_cache(maxsize=4)
def load_dataset(name: str) -> Dataset:
    """Load a data set by name.

    Raises
    ------
    DatasetError
        If no data set has that name.
    """
    if name not in DATASETS:
        raise DatasetError(f"unknown data set {name!r}: this wslbench knows {', '.join(sorted(DATASETS))}")
    module_name, function_name = DATASETS[name].split(":")
    dataset: Dataset = getattr(importlib.import_module(module_name), function_name)()
    return dataset
