"""The layout ``modelzoo``: trees of the Model Zoo Dataset (Schürholt et al. 2022, arXiv 2209.14764), a folder a run.

They are Ray Tune trees as those of :mod:`wslbench.interop.tune_trees`, with ``checkpoint_7`` or ``checkpoint_000007``
for epoch 7. The networks are the small convolutional ones of :mod:`wslbench.architectures.cnn_modelzoo`; which of them,
and whether with layers for dropout (which move the positions that name all tensors behind them), the checkpoints tell.

Instead of runs' folders, the folder may hold the dataset's preprocessed files
(:mod:`wslbench.interop.model_zoo_files`).

There is no grid of load and temperature in these zoos. By default the load is the share of dropout and the temperature
the learning rate; of a zoo whose runs differ in their seeds alone no split can be made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import ZooFormatError
from wslbench.interop.listing import ImportOptions, Listing
from wslbench.interop.model_zoo_files import (
    list_preprocessed,
    preprocessed_files,
    read_preprocessed,
    shapes_of_preprocessed,
)
from wslbench.interop.tensors import read_checkpoint, shapes_of_checkpoint
from wslbench.interop.tune_logs import PERFORMANCE
from wslbench.interop.tune_trees import measured_epoch_of, read_runs, varied_columns
from wslbench.zoo.models import FloatArray

_NO_HYPERPARAMETERS = {
    *PERFORMANCE.values(),
    "file",
    "set",
    "line",
    "network",
    "epoch",
    "seed",
    "ggap",
    "training_iteration",
}
_IMAGE_SIZES = {5: 28, 3: 32}  # by the kernel of the first convolution
_PATTERN = Architecture(
    builder="cnn_modelzoo",
    arguments={
        "image_size": "@image_size",
        "in_channels": "@image_channels",
        "classes": "@image_classes",
        "activation": "@activation",
        "dropout": "@dropout_layers",
    },
)


def list_model_zoo(source: Path, options: ImportOptions) -> Listing:
    """A row a checkpoint of every run.

    Raises
    ------
    ZooFormatError
        If there is no run, or a file of one is malformed.
    """
    if preprocessed_files(source):
        return _preprocessed(source)
    if source.is_dir() and not any(source.glob("*/result.json")):
        raise ZooFormatError(
            f"{source} holds neither runs (folders with a result.json) nor a preprocessed .pt file; name the "
            "folder in which they stand"
        )
    runs, empty = read_runs(source)
    epoch = measured_epoch_of(runs)
    known: dict[object, dict[str, float]] = {}
    rows = []
    for run in runs:
        share = run.hyperparameters.get("dropout", 0.0)
        if not isinstance(share, int | float) or not 0 <= share < 1:
            raise ZooFormatError(f"{run.folder}: the hyper-parameters name {share!r} as the share of dropout")
        if share not in known:  # runs of one share are of one form: the first tells
            shapes = shapes_of_checkpoint(source / next(iter(run.checkpoints.values())))
            known[share] = _form(shapes, share, run.folder)
        rows += [{**row, "dropout": float(share), **known[share]} for row in run.rows(epoch)]
    table = pd.DataFrame(rows)
    return Listing(
        table,
        architecture=_PATTERN,
        load="dropout",
        temperature="learning_rate",
        varied=varied_columns(table, [run.hyperparameters for run in runs]),
        measured_epoch=epoch,
        left_out=empty,
        logged=tuple(PERFORMANCE.values()),
    )


def read_model_zoo(source: Path, rows: pd.DataFrame, rounded: bool) -> Iterator[Mapping[str, FloatArray]]:
    """The networks of some rows of the listing."""
    if "set" in rows.columns:
        return read_preprocessed(source, rows, rounded)
    return (read_checkpoint(source / file, rounded) for file in rows["file"])


def _preprocessed(source: Path) -> Listing:
    """Of files that hold whole populations: which network each is, its tensors tell, if its activation is known."""
    table = list_preprocessed(source)
    hyperparameters = [name for name in table.columns if name not in _NO_HYPERPARAMETERS]
    if "seed" not in table.columns:  # then no two runs are known to be seeds of one cell
        table["seed"] = 0
        hyperparameters = ["network"]
    varied = tuple(name for name in hyperparameters if table[name].nunique(dropna=False) > 1)
    pattern = None
    if "activation" in table.columns:
        share = table["dropout"] if "dropout" in table.columns else pd.Series(0.0, table.index)
        forms = {
            value: _form(shapes_of_preprocessed(source, rows.iloc[0]), float(value), source / rows["file"].iloc[0])
            for value, rows in table.groupby(share)
        }
        found = pd.DataFrame([forms[value] for value in share], index=table.index)
        # Where a property has the name of what the tensors tell, they are right.
        table = pd.concat([table.drop(columns=found.columns, errors="ignore"), found], axis=1)
        pattern = _PATTERN
    logged = tuple(PERFORMANCE.values())
    return Listing(table, pattern, load="dropout", temperature="learning_rate", varied=varied, logged=logged)


def _form(shapes: Mapping[str, tuple[int, ...]], share: float, folder: Path) -> dict[str, float]:
    """Arguments of a network, from the shapes and names of its tensors."""
    try:
        first = shapes["module_list.0.weight"]
        last = max((name for name in shapes if name.endswith(".weight")), key=lambda name: int(name.split(".")[1]))
        return {
            "image_size": _IMAGE_SIZES[first[2]],
            "image_channels": first[1],
            "image_classes": shapes[last][0],
            # Layers that drop nothing count as layers: they are in the list.
            "dropout_layers": np.nan if "module_list.3.weight" in shapes else share,
        }
    except (KeyError, IndexError, ValueError) as error:
        raise ZooFormatError(
            f"{folder}: the tensors {', '.join(list(shapes)[:4])}, … are not those of the Model Zoo Dataset's "
            "networks: take --format ptmz, with --architecture or without"
        ) from error
