"""The layout ``smallcnn``: the Small CNN Zoo (Unterthiner et al. 2020, arXiv 2002.11448), a folder a data set.

``weights.npy`` has a row a checkpoint, ``metrics.csv.gz`` says row by row what it is, ``layout.csv`` which columns are
which tensor. The networks were written for TensorFlow: kernels of convolutions are [height, width, in, out] there,
those of dense layers [in, out]. They come in with torch's axes, [out, in, height, width] and [out, in], under names
without scopes (``sequential/conv2d_1/kernel:0`` becomes ``conv2d_1.weight``).

Every network has hyper-parameters of its own, so that each is a cell of its own, of one seed. The load is the share of
the train data that it saw (``train_fraction``), the temperature its learning rate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.errors import ZooFormatError
from wslbench.interop.csv_files import read_packed_csv
from wslbench.interop.listing import ImportOptions, Listing, free_name
from wslbench.interop.matrices import Place, map_matrix, read_layout, rows_of
from wslbench.zoo.models import FloatArray

WEIGHTS, METRICS, LAYOUT = "weights.npy", "metrics.csv.gz", "layout.csv"
_MAX_BYTES = 256 * 2**20  # three hundred thousand checkpoints take some hundred megabytes
_LOGGED = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
_VARIABLE = re.compile(r"(?:.*/)?([^/:]+)/([^/:]+)(?::\d+)?")
_KINDS = {"kernel": "weight", "bias": "bias"}


def list_small_cnns(source: Path, options: ImportOptions) -> Listing:
    """A row a checkpoint, as ``metrics.csv.gz`` lists them.

    Raises
    ------
    ZooFormatError
        If a file is missing or malformed, or the files do not fit each other.
    """
    for name in (WEIGHTS, METRICS, LAYOUT):
        if not (source / name).is_file() or (source / name).is_symlink():
            raise ZooFormatError(f"{source} holds no file {name}, which this layout has")
    matrix = map_matrix(source / WEIGHTS)
    read_layout(source / LAYOUT, matrix.shape[1])
    metrics = _metrics(source / METRICS, len(matrix))
    if len(matrix) != len(metrics):
        raise ZooFormatError(f"{source / METRICS} lists {len(metrics)} checkpoints, {WEIGHTS} has {len(matrix)} rows")
    missing = [name for name in ("modeldir", "step", "train_fraction", "learning_rate") if name not in metrics]
    if missing:
        raise ZooFormatError(f"{source / METRICS} lacks the column {missing[0]!r}")
    table = metrics.rename(columns={"step": "epoch"}).assign(
        file=WEIGHTS, line=np.arange(len(metrics)), network=pd.factorize(metrics["modeldir"])[0], seed=0
    )
    return Listing(table, load="train_fraction", temperature="learning_rate", varied=("network",), logged=_LOGGED)


def read_small_cnns(source: Path, rows: pd.DataFrame, rounded: bool) -> Iterator[Mapping[str, FloatArray]]:
    """The networks of some rows of the listing, with torch's axes and names."""
    places = _layout(source / LAYOUT, map_matrix(source / WEIGHTS).shape[1])
    lines = rows["line"].to_numpy(dtype=np.intp)
    for tensors in rows_of(source / WEIGHTS, list(places), lines, rounded):
        yield {_name(name): _axes(tensor) for name, tensor in tensors.items()}


@lru_cache(maxsize=8)
def _layout(path: Path, width: int) -> tuple[Place, ...]:
    """Asked for once a cell, of which there are as many as networks."""
    return tuple(read_layout(path, width))


def _metrics(path: Path, rows: int) -> pd.DataFrame:
    table = read_packed_csv(path, _MAX_BYTES, rows + 2)  # names above, an empty line below
    table = table.rename(columns=lambda column: free_name(str(column).removeprefix("config.")))
    if table.columns.duplicated().any():
        raise ZooFormatError(f"{path} has the column {table.columns[table.columns.duplicated()][0]!r} twice")
    return table


def _name(variable: str) -> str:
    match = _VARIABLE.fullmatch(variable)
    if match is None:
        raise ZooFormatError(f"{LAYOUT}: {variable!r} is no variable's name such as sequential/conv2d/kernel:0")
    return f"{match[1]}.{_KINDS.get(match[2], match[2])}"


def _axes(tensor: FloatArray) -> FloatArray:
    """Torch's order of axes: from HWIO to OIHW, from [in, out] to [out, in]."""
    if tensor.ndim == 4:
        return tensor.transpose(3, 2, 0, 1)
    return tensor.T if tensor.ndim == 2 else tensor
