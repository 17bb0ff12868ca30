"""Restoring: a zoo that was exported comes back as it was, annotations and all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.errors import ZooDamagedError, ZooFormatError
from wslbench.interop.exporting import ANNOTATIONS
from wslbench.interop.matrices import map_matrix, read_layout, rows_of
from wslbench.interop.tensors import read_tensors
from wslbench.zoo import Zoo, ZooWriter, verify
from wslbench.zoo.documents import read_card, read_manifest
from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import Manifest, is_name
from wslbench.zoo.splits import read_split
from wslbench.zoo.staging import STAGED_COLUMNS
from wslbench.zoo.tables import MODEL_COLUMNS, PAIR_COLUMNS, read_table

Networks = Iterator[Mapping[str, FloatArray]]


def is_exported(source: Path) -> bool:
    """Whether a folder holds the annotations of an exported zoo."""
    return all((source / name).is_file() for name in ANNOTATIONS)


def restore_zoo(source: Path, layout: str, destination: Path, on_progress: Callable[[float], None]) -> Zoo:
    """Bring an exported zoo back; its hashes have to be those of the one that was exported.

    Parameters
    ----------
    layout
        What it was exported as: ``state-dicts`` or ``table``.
    on_progress
        Called with the share of cells that is done.

    Raises
    ------
    ZooFormatError
        If a file is malformed, or no such export.
    ZooDamagedError
        If the zoo is not the one that was exported.
    ZooError
        If the destination is taken.
    """
    read = _READERS[layout]
    manifest, card = read_manifest(source), read_card(source)
    table, _ = read_table(source / "models.parquet", MODEL_COLUMNS, str(source / "models.parquet"))
    pairs, _ = read_table(source / "pairs.parquet", PAIR_COLUMNS, str(source / "pairs.parquet"))
    splits = [
        read_split(path, str(path)) for path in (source / "splits" / f"{name}.parquet" for name in manifest.splits)
    ]
    strange = sorted(set(table["architecture"]) - set(card.architectures))
    if strange:
        raise ZooFormatError(f"{source}: the card does not describe the architecture {strange[0]!r}")
    table = table.assign(line=table.groupby("architecture").cumcount())
    recipe = {"restored_from": layout, "manifest": manifest.model_dump(mode="json")}
    finished = ZooWriter.finished(destination, recipe)
    if finished is not None:
        return finished
    writer = ZooWriter(destination, recipe)
    staged = writer.staged()
    none = pairs.iloc[:0]
    cells = list(table.groupby("cell_id", sort=True))
    for done, (cell_id, rows) in enumerate(cells, start=1):
        if cell_id not in staged:
            weights = {
                int(str(epoch)): _stacked(read(source, part), len(part)) for epoch, part in rows.groupby("epoch")
            }
            writer.stage(str(cell_id), rows[list(STAGED_COLUMNS)], weights, none)
        on_progress(done / len(cells))
    placed = table.drop(columns=["model_id", "shard", "row", "line"])
    return writer.compact(card, placed, pairs, splits, lambda zoo: _check_exported(zoo, manifest, source))


def _check_exported(zoo: Zoo, manifest: Manifest, source: Path) -> None:
    problems = verify(zoo)
    if zoo.versions["weights"] != manifest.weights.hash:
        problems.append("its weights are others")
    if zoo.versions["annotations"] != manifest.annotations.hash:
        problems.append("its annotations are others")
    if problems:
        raise ZooDamagedError(f"{source} does not hold the zoo that was exported to it: " + "; ".join(problems))


def _stacked(networks: Networks, count: int) -> dict[str, FloatArray]:
    stacks: dict[str, FloatArray] = {}
    for row, tensors in enumerate(networks):
        if not stacks:
            stacks = {name: np.empty((count, *tensor.shape), np.float32) for name, tensor in tensors.items()}
        if {name: tensor.shape for name, tensor in tensors.items()} != {
            name: stack.shape[1:] for name, stack in stacks.items()
        }:
            raise ZooFormatError("two networks of one cell hold other tensors; this is no export of a zoo")
        for name, tensor in tensors.items():
            stacks[name][row] = tensor
    return stacks


def _from_files(source: Path, rows: pd.DataFrame) -> Networks:
    for model_id in rows["model_id"]:
        path = source / f"{model_id}.safetensors"
        if not is_name(model_id) or path.is_symlink():
            raise ZooFormatError(f"{path} is a link, or no name that a model has")
        yield read_tensors(path)


def _from_matrices(source: Path, rows: pd.DataFrame) -> Networks:
    architecture = rows["architecture"].iloc[0]
    matrix, layout = source / f"{architecture}.npy", source / f"{architecture}.csv"
    for path in (matrix, layout):
        if not is_name(architecture) or path.is_symlink():
            raise ZooFormatError(f"{path} is a link, or no name that an architecture has")
    places = read_layout(layout, map_matrix(matrix).shape[1])
    return rows_of(matrix, places, rows["line"].to_numpy(dtype=np.intp))


_READERS = {"state-dicts": _from_files, "table": _from_matrices}
RESTORED = frozenset(_READERS)
