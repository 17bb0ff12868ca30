"""Restoring: a zoo that was exported comes back as it was, annotations and all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.errors import ZooDamagedError, ZooFormatError
from wslbench.interop.exporting import ANNOTATIONS
from wslbench.interop.matrices import map_matrix, read_layout, rows_of
from wslbench.interop.parts import bytes_of, parts_of
from wslbench.interop.tensors import read_exported
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
        Called with the share of the work that is done.

    Raises
    ------
    ZooFormatError
        If a file is malformed, or no such export.
    ZooDamagedError
        If the zoo is not the one that was exported.
    ZooError
        If the destination is taken.
    """
    files, read = _READERS[layout]
    manifest, card = read_manifest(source), read_card(source)
    table, _ = read_table(source / "models.parquet", MODEL_COLUMNS, str(source / "models.parquet"))
    pairs, _ = read_table(source / "pairs.parquet", PAIR_COLUMNS, str(source / "pairs.parquet"))
    splits = [
        read_split(path, str(path)) for path in (source / "splits" / f"{name}.parquet" for name in manifest.splits)
    ]
    strange = sorted(set(table["architecture"]) - set(card.architectures))
    if strange:
        raise ZooFormatError(f"{source}: the card does not describe the architecture {strange[0]!r}")
    table = table.assign(line=table.groupby("architecture").cumcount()).reset_index(drop=True)
    recipe = {"restored_from": layout, "manifest": manifest.model_dump(mode="json")}
    finished = ZooWriter.finished(destination, recipe)
    if finished is not None:
        return finished
    writer = ZooWriter(destination, recipe)
    sizes = {name: bytes_of(network) for name, network in card.architectures.items()}
    parts = list(parts_of(table, sizes, lambda rows: files(source, rows), None))
    staged = writer.staged() & {part.name for part in parts}
    writer.keep_only(staged)
    for done, part in enumerate(parts, start=1):
        if part.name not in staged:
            rows = table.iloc[part.positions]
            weights = {
                int(str(epoch)): _stacked(read(source, same), len(same)) for epoch, same in rows.groupby("epoch")
            }
            writer.stage(part.cell_id, rows[list(STAGED_COLUMNS)], weights, pairs.iloc[:0], part.number)
        on_progress(done / len(parts))
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


def _state_files(source: Path, rows: pd.DataFrame) -> list[Path]:
    strange = [model_id for model_id in rows["model_id"] if not is_name(model_id)]
    if strange:
        raise ZooFormatError(f"{source}: {strange[0]!r} is no name that a model has")
    return [_own(source / f"{model_id}.safetensors") for model_id in rows["model_id"]]


def _from_files(source: Path, rows: pd.DataFrame) -> Networks:
    return (read_exported(path) for path in _state_files(source, rows))


def _matrix_files(source: Path, rows: pd.DataFrame) -> list[Path]:
    """The matrix, and what says which columns are which tensor; the card has checked the architecture's name."""
    name = rows["architecture"].iloc[0]
    return [_own(source / f"{name}.npy"), _own(source / f"{name}.csv")]


def _from_matrices(source: Path, rows: pd.DataFrame) -> Networks:
    matrix, layout = _matrix_files(source, rows)
    places = read_layout(layout, map_matrix(matrix).shape[1])
    return rows_of(matrix, places, rows["line"].to_numpy(dtype=np.intp))


def _own(path: Path) -> Path:
    """The path of a file that the export itself holds."""
    if path.is_symlink():
        raise ZooFormatError(f"{path} is a link: an export's files stand in its folder")
    if not path.exists():
        raise ZooFormatError(f"{path} is missing")
    return path


_READERS = {"state-dicts": (_state_files, _from_files), "table": (_matrix_files, _from_matrices)}
RESTORED = frozenset(_READERS)
