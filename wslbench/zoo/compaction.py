"""Compaction: shards, tables, splits and manifest in one folder, wherever the weights come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import SplitError, ZooFormatError
from wslbench.zoo.documents import write_card, write_manifest
from wslbench.zoo.hashing import hash_annotations, hash_shards, hash_tensors
from wslbench.zoo.identity import model_id, run_id
from wslbench.zoo.schema import Manifest, ShardEntry, WeightsEntry, ZooCard
from wslbench.zoo.shards import map_file
from wslbench.zoo.splits import Split, write_split
from wslbench.zoo.tables import MODEL_COLUMNS, PAIR_COLUMNS, write_table
from wslbench.zoo.template import template

MAX_SHARD_BYTES = 2 * 1024**3
_COMPUTED = ("model_id", "run_id", "shard", "row")


def check_card(card: ZooCard, table: pd.DataFrame) -> None:
    """Check that card and table speak of the same architectures, axes and measured epoch."""
    needed = [column for column in MODEL_COLUMNS if column not in _COMPUTED]
    for column in [*needed, card.load.column, card.temperature.column]:
        if column not in table.columns:
            raise ZooFormatError(f"the table of zoo {card.name!r} lacks the column {column!r}")
    strangers = sorted(set(table["architecture"]) - set(card.architectures))
    if strangers:
        raise ZooFormatError(f"the card of zoo {card.name!r} does not describe architecture {strangers[0]!r}")
    if not (table["measured"].to_numpy(dtype=bool) == (table["epoch"] == card.measured_epoch)).all():
        raise ZooFormatError(
            f"zoo {card.name!r}: the checkpoints marked as measured are not those of epoch {card.measured_epoch}"
        )
    if table.duplicated(["cell_id", "seed", "epoch"]).any() or len(table) == 0:
        raise ZooFormatError(f"the table of zoo {card.name!r} is empty or lists a checkpoint twice")


class Shard(NamedTuple):
    """A shard that is to be written.

    Attributes
    ----------
    path
        Within the zoo's folder.
    name, architecture
        The architecture of its checkpoints, by name and in full.
    rows
        Of the zoo's table, in the order in which the shard stacks them.
    """

    path: str
    name: str
    architecture: Architecture
    epoch: int
    rows: pd.DataFrame

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor ``[models, *shape]``, by name, in the architecture's order."""
        return {name: (len(self.rows), *shape) for name, shape in template(self.architecture).stored.items()}


def compact_weights(
    folder: Path, card: ZooCard, table: pd.DataFrame, write: Callable[[Path, Shard], None]
) -> tuple[pd.DataFrame, WeightsEntry]:
    """Have all shards written; return the table with ids and places, in order of shards and rows, and their entry.

    Parameters
    ----------
    write
        Writes a shard's file.
    """
    shards: dict[str, ShardEntry] = {}
    parts: list[pd.DataFrame] = []
    for shard in _shards(card, table):
        path = folder / shard.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, shard)
        shards[shard.path] = ShardEntry(
            hash=hash_tensors(map_file(path, shard.path).tensors),  # of what a reader will see
            architecture=shard.name,
            epoch=shard.epoch,
            models=len(shard.rows),
            bytes=path.stat().st_size,
        )
        parts.append(shard.rows.assign(shard=shard.path, row=np.arange(len(shard.rows))))
    placed = pd.concat(parts, ignore_index=True)
    return placed, WeightsEntry(hash=hash_shards(shards), shards=shards)


def _shards(card: ZooCard, table: pd.DataFrame) -> Iterator[Shard]:
    table = _identified(table, card.namespace)
    for group, rows in table.groupby(["architecture", "epoch"], sort=True):
        name, epoch = cast("tuple[str, int]", group)
        architecture = card.architectures[name]
        bytes_each = 4 * sum(math.prod(shape) for shape in template(architecture).stored.values())
        per_shard = max(1, MAX_SHARD_BYTES // bytes_each)
        for number, first in enumerate(range(0, len(rows), per_shard)):
            path = f"weights/{name}/{epoch}-{number}.safetensors"
            yield Shard(path, name, architecture, int(epoch), rows.iloc[first : first + per_shard])


def _identified(table: pd.DataFrame, namespace: str) -> pd.DataFrame:
    """The table in order of freshly computed ids, which say nothing about the cells."""
    table = table.reset_index(drop=True).drop(columns=["model_id", "shard", "row"], errors="ignore")
    checkpoints = list(zip(table["cell_id"], table["seed"], table["epoch"], strict=True))
    if "run_id" not in table.columns:
        table.insert(0, "run_id", [run_id(cell, seed) for cell, seed, _ in checkpoints])
    table.insert(0, "model_id", [model_id(namespace, *checkpoint) for checkpoint in checkpoints])
    return table.sort_values("model_id", ignore_index=True)


def write_annotations(
    folder: Path,
    card: ZooCard,
    placed: pd.DataFrame,
    pairs: pd.DataFrame,
    splits: Sequence[Split],
    weights: WeightsEntry,
) -> None:
    """Write card, tables, splits and, last, the manifest."""
    if len({split.protocol for split in splits}) != len(splits):
        raise SplitError(f"zoo {card.name!r} was given two splits of one protocol")
    for split in splits:
        split.validate_against(placed)
    missing = [column for column in PAIR_COLUMNS if column not in pairs.columns]
    if missing:
        raise ZooFormatError(f"the pairs of zoo {card.name!r} lack the column {missing[0]!r}")
    placed = placed.sort_values(["shard", "row"], ignore_index=True)
    write_card(folder, card)
    write_table(placed, folder / "models.parquet")
    write_table(pairs.sort_values(list(PAIR_COLUMNS)), folder / "pairs.parquet")
    (folder / "splits").mkdir()
    for split in splits:
        write_split(split, folder / "splits" / f"{split.protocol}.parquet")
    manifest = Manifest(
        weights=weights,
        annotations=hash_annotations(card, placed, pairs),
        splits={split.protocol: split.hash for split in sorted(splits, key=lambda split: split.protocol)},
    )
    write_manifest(folder, manifest)
