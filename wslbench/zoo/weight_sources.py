"""Where the weights of a zoo under way come from: cells that are staged, or a stream that makes them as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wslbench.errors import ZooError, ZooFormatError
from wslbench.zoo.atomic import replacing
from wslbench.zoo.compaction import Shard
from wslbench.zoo.models import FloatArray
from wslbench.zoo.shards import tensors_to_fill, write_tensors
from wslbench.zoo.staging import Staging
from wslbench.zoo.template import template

_Checkpoint = tuple[str, int, int]  # cell, seed, epoch

MakeBlocks = Callable[[Shard, str], Iterator[FloatArray]]
"""From a shard and a tensor's name to the tensor, ``[models, *shape]``, in blocks along the first axis."""


class StagedWeights:
    """Writes shards from staged cells.

    One cell, or part of one, is open at a time, and its rows go where they belong in the shard's file: neither open
    files nor memory grow with the number of cells.

    Parameters
    ----------
    table
        A row a checkpoint that is wanted.

    Raises
    ------
    ZooError
        If the table lists a checkpoint that is not staged.
    """

    def __init__(self, staging: Staging, table: pd.DataFrame) -> None:
        self._staging = staging
        self._row = _staged_rows(table, staging)

    def __call__(self, path: Path, shard: Shard) -> None:
        """Write a shard's file.

        Raises
        ------
        ZooFormatError
            If what is staged are not the tensors of the architecture.
        """
        seeds = shard.rows["seed"].to_numpy()
        with tensors_to_fill(path, shard.shapes) as tensors:
            for cell, places in shard.rows.groupby("cell_id", sort=False).indices.items():
                found = [self._row[str(cell), int(seeds[place]), shard.epoch] for place in places]
                for part in dict.fromkeys(place.part for place in found):
                    staged = self._staged(part, shard)
                    rows = [place.row for place in found if place.part == part]
                    targets = [at for at, place in zip(places, found, strict=True) if place.part == part]
                    for name, tensor in tensors.items():
                        tensor[targets] = staged[name][rows]

    def _staged(self, part: str, shard: Shard) -> dict[str, FloatArray]:
        tensors = self._staging.read_weights(part, shard.epoch)
        expected = template(shard.architecture).stored
        found = {name: stack.shape[1:] for name, stack in tensors.items()}
        if found != expected:
            wrong = next(name for name in {**expected, **found} if found.get(name) != expected.get(name))
            raise ZooFormatError(
                f"cell {part!r}, epoch {shard.epoch}: tensor {wrong!r} of architecture {shard.name!r} should have "
                f"the shape {expected.get(wrong, 'nothing')}, staged is {found.get(wrong, 'nothing')}"
            )
        return tensors


class StreamedWeights:
    """Writes shards from weights that are made block by block; a shard that is there already is whole, and stays.

    Parameters
    ----------
    make_blocks
        Makes a tensor of a shard. Always the same one, however often it is asked.
    """

    def __init__(self, make_blocks: MakeBlocks) -> None:
        self._make_blocks = make_blocks

    def __call__(self, path: Path, shard: Shard) -> None:
        """Write a shard's file, unless an earlier, interrupted call has."""
        if path.exists():
            return
        with replacing(path) as temporary, temporary.open("wb") as file:
            write_tensors(file, shard.shapes, lambda name: self._make_blocks(shard, name))


class _Place(NamedTuple):
    """What a checkpoint is staged in, a cell or a part of one, and the row in its stack of the epoch."""

    part: str
    row: int


def _staged_rows(table: pd.DataFrame, staging: Staging) -> dict[_Checkpoint, _Place]:
    """Where each checkpoint is staged; the table's have to be among them."""
    staged = staging.parts_of_cells()
    places: dict[_Checkpoint, _Place] = {}
    for cell_id in table["cell_id"].unique():
        if cell_id not in staged:
            raise ZooError(f"the table lists cell {cell_id!r}, which is not staged in {staging.folder}")
        for part in staged[cell_id]:
            for epoch, rows in staging.read_rows(part).groupby("epoch"):
                for row, seed in enumerate(rows["seed"]):
                    places[cell_id, int(seed), int(str(epoch))] = _Place(part, row)
    for cell, seed, epoch in zip(table["cell_id"], table["seed"], table["epoch"], strict=True):
        key = str(cell), int(seed), int(epoch)
        if key not in places:
            raise ZooError(f"the table lists a checkpoint that is not staged: (cell, seed, epoch) {key}")
    return places
