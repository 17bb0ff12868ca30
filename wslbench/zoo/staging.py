"""Staging: the finished cells of a zoo that is still being grown, one folder a cell, or a part of a large one."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from wslbench.errors import ZooError, ZooFormatError
from wslbench.zoo.atomic import new_folder, remove_folder, write_text
from wslbench.zoo.hashing import hash_json
from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import is_name
from wslbench.zoo.shards import map_file, write_tensors
from wslbench.zoo.tables import PAIR_COLUMNS, read_table, write_table

STAGED_COLUMNS = ("cell_id", "seed", "epoch", "architecture")
_RECORD: Final = "recipe.json"
_PART: Final = "~"  # between a cell and its part; in no name of a cell


class StagedCell(NamedTuple):
    """What is staged of a cell.

    Attributes
    ----------
    rows
        A row a checkpoint.
    weights
        By epoch, the stacked tensors ``[seeds, *shape]`` in the order in which ``rows`` lists that epoch's seeds;
        mapped, read-only.
    pairs
        A row a pair of seeds.
    """

    rows: pd.DataFrame
    weights: dict[int, dict[str, FloatArray]]
    pairs: pd.DataFrame


class Staging:
    """The folder ``<destination>.partial``, bound to one recipe.

    Parameters
    ----------
    folder
        Where cells are staged; made if absent.
    recipe
        JSON-like description of what is being grown.

    Raises
    ------
    ZooError
        If the folder was begun with another recipe, or cannot be made.
    """

    def __init__(self, folder: Path, recipe: Mapping[str, Any]) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZooError(f"{folder} cannot be made: {error.strerror}") from error
        self._record: dict[str, Any] = {"fingerprint": hash_json(dict(recipe)), "recipe": dict(recipe)}
        record = folder / _RECORD
        if not record.exists():
            if self.staged():
                raise ZooError(f"{folder} holds cells of an unknown recipe: remove it, or choose another destination")
            write_text(record, json.dumps(self._record, indent=1, sort_keys=True))
        elif _read(record).get("fingerprint") != self._record["fingerprint"]:
            raise ZooError(
                f"{folder} was begun with another recipe or seed secret (see {record}): go on with that one, remove "
                "the folder, or choose another destination"
            )

    def note_zoo(self, weights: str) -> None:
        """Note that all is compacted into a zoo of these weights (their hash), so that only :meth:`remove` is left."""
        noted = self._record | {"compacted": weights}
        write_text(self.folder / _RECORD, json.dumps(noted, indent=1, sort_keys=True))

    @classmethod
    def behind(cls, folder: Path, recipe: Mapping[str, Any]) -> tuple[Staging, str] | None:
        """The staging folder of this recipe that a zoo came out of, and the hash of that zoo's weights."""
        record = folder / _RECORD
        if not record.is_file():
            return None
        noted = _read(record)
        if noted.get("fingerprint") != hash_json(dict(recipe)) or not isinstance(noted.get("compacted"), str):
            return None
        return cls(folder, recipe), noted["compacted"]

    def remove(self) -> None:
        """Take it away, at one stroke for whoever looks."""
        remove_folder(self.folder)

    def staged(self) -> set[str]:
        """Ids of the cells that are finished; of cells that come in parts, the names of those parts."""
        return {path.name for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith(".")}

    def parts_of_cells(self) -> dict[str, list[str]]:
        """By cell what is staged of it: its own name, or those of its parts."""
        parts: dict[str, list[str]] = {}
        for name in sorted(self.staged()):
            parts.setdefault(name.partition(_PART)[0], []).append(name)
        return parts

    def keep_only(self, names: Collection[str]) -> None:
        """Remove what is staged under other names."""
        for name in self.staged() - set(names):
            remove_folder(self.folder / name)

    def stage(
        self,
        cell_id: str,
        rows: pd.DataFrame,
        weights: Mapping[int, Mapping[str, FloatArray]] | None,
        pairs: pd.DataFrame,
        part: str | None = None,
    ) -> None:
        """Store a finished cell, or a part of it; after a kill at any moment it is there whole or not at all.

        Parameters
        ----------
        cell_id
            A name that can be a folder's.
        rows
            A row a checkpoint: ``cell_id``, ``seed``, ``epoch``, ``architecture``, and whatever was measured.
        weights
            By epoch, float32 stacks ``[seeds, *shape]``, in the order in which ``rows`` lists that epoch's seeds. None:
            the cell is only measured, its weights stand elsewhere.
        pairs
            A row a pair of seeds: ``cell_id``, ``seed_a``, ``seed_b``, and whatever was measured.
        part
            The name of the part, of a cell that is too large for memory; each part holds checkpoints of its own.

        Raises
        ------
        ZooFormatError
            If rows and weights do not fit each other, or a tensor is not float32 (counters are never stored).
        """
        _check_cell(cell_id, rows, weights, pairs)
        with new_folder(self.folder / part_name(cell_id, part)) as folder:
            write_table(rows, folder / "rows.parquet")
            write_table(pairs, folder / "pairs.parquet")
            for epoch, tensors in (weights or {}).items():
                shapes = {name: tensor.shape for name, tensor in tensors.items()}
                with (folder / f"{epoch}.safetensors").open("wb") as file:
                    write_tensors(file, shapes, tensors.__getitem__)

    def read(self, cell_id: str) -> StagedCell:
        """What is staged of a cell.

        Raises
        ------
        ZooError
            If the cell is not staged, or damaged.
        """
        rows = self.read_rows(cell_id)
        folder = self.folder / cell_id
        pairs, _ = read_table(folder / "pairs.parquet", PAIR_COLUMNS, str(folder / "pairs.parquet"))
        epochs = sorted(int(path.stem) for path in folder.glob("*.safetensors"))
        return StagedCell(rows, {epoch: self.read_weights(cell_id, epoch) for epoch in epochs}, pairs)

    def read_rows(self, cell_id: str) -> pd.DataFrame:
        """The rows that are staged of a cell, or of a part of one. Raises as :meth:`read` does."""
        folder = self.folder / cell_id
        if not folder.is_dir():
            raise ZooError(f"cell {cell_id!r} is not staged in {self.folder}")
        return read_table(folder / "rows.parquet", STAGED_COLUMNS, str(folder / "rows.parquet"))[0]

    def read_weights(self, cell_id: str, epoch: int) -> dict[str, FloatArray]:
        """The stacks that are staged of a cell's epoch, or a part's, mapped anew. Raises as :meth:`read` does."""
        path = self.folder / cell_id / f"{epoch}.safetensors"
        return map_file(path, str(path)).tensors


def part_name(cell_id: str, part: str | None) -> str:
    """Under which name a cell is staged, or a part of it."""
    return cell_id if part is None else f"{cell_id}{_PART}{part}"


def _read(record: Path) -> dict[str, Any]:
    try:
        noted = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ZooError(f"{record} cannot be read: remove {record.parent} to start over") from error
    if not isinstance(noted, dict) or "fingerprint" not in noted:
        raise ZooError(f"{record} cannot be read: remove {record.parent} to start over")
    return noted


def _check_cell(
    cell_id: str, rows: pd.DataFrame, weights: Mapping[int, Mapping[str, FloatArray]] | None, pairs: pd.DataFrame
) -> None:
    if not is_name(cell_id):
        raise ZooFormatError(f"{cell_id!r} cannot be the id of a cell: letters, digits and . _ + = - only")
    for columns, frame, meaning in ((STAGED_COLUMNS, rows, "rows"), (PAIR_COLUMNS, pairs, "pairs")):
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise ZooFormatError(f"the {meaning} of cell {cell_id!r} lack the column {missing[0]!r}")
        if not (frame["cell_id"] == cell_id).all():
            raise ZooFormatError(f"the {meaning} of cell {cell_id!r} name another cell")
    if weights is None:
        return
    if rows.duplicated(["seed", "epoch"]).any() or set(rows["epoch"]) != set(weights):
        raise ZooFormatError(f"cell {cell_id!r}: rows and weights do not list the same checkpoints")
    for epoch, tensors in weights.items():
        seeds = int((rows["epoch"] == epoch).sum())
        for name, tensor in tensors.items():
            if tensor.dtype != np.float32:
                raise ZooFormatError(
                    f"cell {cell_id!r}, epoch {epoch}: tensor {name!r} is {tensor.dtype}; zoos store float32 alone, "
                    "and counters not at all"
                )
            if tensor.ndim < 1 or tensor.shape[0] != seeds:
                raise ZooFormatError(
                    f"cell {cell_id!r}, epoch {epoch}: tensor {name!r} of shape {tensor.shape} does not "
                    f"stack {seeds} seeds"
                )
