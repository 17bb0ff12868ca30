"""Exporting: a zoo's weights in forms that other tools read, beside its own annotations, so that it can come back.

Both forms hold the zoo's card, manifest, tables and splits as they are, and ``metadata.csv`` for people and other
tools.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.errors import ZooError, ZooFormatError
from wslbench.zoo import Zoo
from wslbench.zoo.atomic import new_folder
from wslbench.zoo.documents import CARD, MANIFEST
from wslbench.zoo.models import Stack

ANNOTATIONS = (CARD, MANIFEST, "models.parquet", "pairs.parquet")
METADATA = "metadata.csv"
_CHUNK = 256  # models that are in memory at a time

OnProgress = Callable[[float], None]


def export_zoo(zoo: Zoo, layout: str, destination: Path, on_progress: OnProgress = lambda share: None) -> None:
    """Write a zoo in another form; the folder appears whole or not at all.

    Parameters
    ----------
    layout
        ``state-dicts``: a ``.safetensors`` file a model, counters included, as ``load_state_dict`` takes them.
        ``table``: a matrix an architecture, ``<architecture>.npy``, a row a model and a column a weight, and
        ``<architecture>.csv``, which says which columns are which tensor.
    destination
        Must be absent, or an empty folder.
    on_progress
        Called with the share of models that is done.

    Raises
    ------
    ZooFormatError
        If there is no such layout.
    ZooError
        If the destination is taken.
    """
    if layout not in _LAYOUTS:
        raise ZooFormatError(f"unknown export format {layout!r}: there are {', '.join(sorted(_LAYOUTS))}")
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise ZooError(f"{destination} exists already: remove it, or choose another destination")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(destination) as folder:
        for name in ANNOTATIONS:
            shutil.copyfile(zoo.path / name, folder / name)
        (folder / "splits").mkdir()
        for protocol in zoo.protocols:  # one by one: copytree gathers its errors, and forgets which they were
            shutil.copyfile(zoo.path / "splits" / f"{protocol}.parquet", folder / "splits" / f"{protocol}.parquet")
        places = _LAYOUTS[layout](zoo, folder, on_progress)
        # Of an imported zoo, the names of its former files would stand in the way of those here.
        table = places.join(zoo.table.drop(columns=["shard", "row", "file", "line"], errors="ignore"))
        table.reset_index().set_index("file").to_csv(folder / METADATA)


def _state_dicts(zoo: Zoo, folder: Path, on_progress: OnProgress) -> pd.DataFrame:
    """A file a model."""
    from safetensors.torch import save_file

    models = zoo.models()
    for done, model in enumerate(models, start=1):
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / _file(model.id))
        on_progress(done / len(models))
    return pd.DataFrame({"file": [_file(model_id) for model_id in models.ids]}, index=zoo.table.index)


def _file(model_id: str) -> str:
    return f"{model_id}.safetensors"


def _matrices(zoo: Zoo, folder: Path, on_progress: OnProgress) -> pd.DataFrame:
    """A matrix an architecture."""
    models = zoo.models()
    places = pd.DataFrame({"file": "", "line": 0}, index=zoo.table.index)
    done = 0
    for stack in models.by_architecture():
        layout = layout_of(stack)
        layout.to_csv(folder / f"{stack.name}.csv", index=False)
        width = int(layout["end_idx"].iloc[-1])
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(stack), width)}
        # Not mapped: where a disk has no room, writing into a mapped file kills the process without a word.
        with (folder / f"{stack.name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for first in range(0, len(stack), _CHUNK):
                (part,) = models[stack.positions[first : first + _CHUNK]].by_architecture()
                rows = np.empty((len(part), width), "<f4")
                for name, begin, end in layout[["varname", "start_idx", "end_idx"]].itertuples(index=False, name=None):
                    rows[:, begin:end] = part[name].reshape(len(part), -1)
                file.write(rows.data)
                done += len(part)
                on_progress(done / len(models))
        places.iloc[stack.positions, 0] = f"{stack.name}.npy"
        places.iloc[stack.positions, 1] = np.arange(len(stack))
    return places


def layout_of(stack: Stack) -> pd.DataFrame:
    """Which columns of a matrix are which tensor: ``varname``, ``start_idx``, ``end_idx``, ``shape``."""
    rows = []
    begin = 0
    for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
        shape = stack.shape(name)
        end = begin + int(np.prod(shape))
        rows.append({"varname": name, "start_idx": begin, "end_idx": end, "shape": str(tuple(shape))})
        begin = end
    return pd.DataFrame(rows)


_LAYOUTS = {"state-dicts": _state_dicts, "table": _matrices}
EXPORTS = tuple(sorted(_LAYOUTS))
