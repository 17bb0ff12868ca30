"""Compaction: from staged cells to shards, tables, splits and manifest in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import SplitError, ZooError, ZooFormatError
from wslbench.zoo.documents import write_card, write_manifest
from wslbench.zoo.hashing import hash_annotations, hash_shards, hash_tensors
from wslbench.zoo.identity import model_id, run_id
from wslbench.zoo.models import Models, Source
from wslbench.zoo.schema import Manifest, ShardEntry, WeightsEntry, ZooCard
from wslbench.zoo.shards import map_file, write_tensors
from wslbench.zoo.splits import Split, write_split
from wslbench.zoo.staging import Staging
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


def compact_weights(
    folder: Path, card: ZooCard, table: pd.DataFrame, staging: Staging
) -> tuple[pd.DataFrame, WeightsEntry]:
    """Write all shards; return the table with ids and places, in order of shards and rows, and the weights' entry."""
    table = _identified(table, card.namespace)
    staged_rows = _staged_rows(table, staging)
    shards: dict[str, ShardEntry] = {}
    parts: list[pd.DataFrame] = []
    for group, rows in table.groupby(["architecture", "epoch"], sort=True):
        architecture, epoch = cast("tuple[str, int]", group)
        shapes = template(card.architectures[architecture]).stored
        bytes_each = 4 * sum(int(np.prod(shape)) for shape in shapes.values())
        per_shard = max(1, MAX_SHARD_BYTES // bytes_each)
        for number, first in enumerate(range(0, len(rows), per_shard)):
            part = rows.iloc[first : first + per_shard]
            shard = f"weights/{architecture}/{epoch}-{number}.safetensors"
            # Mapped shard by shard: pages that were read stay in memory for as long as their file is mapped.
            models = _staged_models(part, card.architectures[architecture], staging, staged_rows)
            shards[shard] = _write_shard(folder, shard, models, int(epoch))
            parts.append(part.assign(shard=shard, row=np.arange(len(part))))
    placed = pd.concat(parts, ignore_index=True)
    return placed, WeightsEntry(hash=hash_shards(shards), shards=shards)


def _identified(table: pd.DataFrame, namespace: str) -> pd.DataFrame:
    """The table in order of freshly computed ids, which say nothing about the cells."""
    table = table.reset_index(drop=True).drop(columns=["model_id", "shard", "row"], errors="ignore")
    checkpoints = list(zip(table["cell_id"], table["seed"], table["epoch"], strict=True))
    if "run_id" not in table.columns:
        table.insert(0, "run_id", [run_id(cell, seed) for cell, seed, _ in checkpoints])
    table.insert(0, "model_id", [model_id(namespace, *checkpoint) for checkpoint in checkpoints])
    return table.sort_values("model_id", ignore_index=True)


_Checkpoint = tuple[str, int, int]  # cell, seed, epoch


def _staged_rows(table: pd.DataFrame, staging: Staging) -> dict[_Checkpoint, int]:
    """Where in its cell's stack of its epoch each checkpoint is staged; the table's have to be among them."""
    staged = staging.staged()
    places: dict[_Checkpoint, int] = {}
    for cell_id in table["cell_id"].unique():
        if cell_id not in staged:
            raise ZooError(f"the table lists cell {cell_id!r}, which is not staged in {staging.folder}")
        for epoch, rows in staging.read_rows(cell_id).groupby("epoch"):
            for row, seed in enumerate(rows["seed"]):
                places[cell_id, int(seed), int(str(epoch))] = row
    for key in _checkpoints(table):
        if key not in places:
            raise ZooError(f"the table lists a checkpoint that is not staged: (cell, seed, epoch) {key}")
    return places


def _checkpoints(table: pd.DataFrame) -> list[_Checkpoint]:
    return [
        (str(cell), int(seed), int(epoch))
        for cell, seed, epoch in zip(table["cell_id"], table["seed"], table["epoch"], strict=True)
    ]


def _staged_models(
    part: pd.DataFrame, architecture: Architecture, staging: Staging, staged_rows: dict[_Checkpoint, int]
) -> Models:
    """Checkpoints of one architecture and epoch, in their order, out of the staged cells."""
    name, epoch = part["architecture"].iloc[0], int(part["epoch"].iloc[0])
    expected = template(architecture).stored
    number_of: dict[str, int] = {}
    sources: list[Source] = []
    for cell_id in part["cell_id"].unique():
        tensors = staging.read_weights(cell_id, epoch)
        found = {tensor: stack.shape[1:] for tensor, stack in tensors.items()}
        if found != expected:
            wrong = next(tensor for tensor in {**expected, **found} if found.get(tensor) != expected.get(tensor))
            raise ZooFormatError(
                f"cell {cell_id!r}, epoch {epoch}: tensor {wrong!r} of architecture {name!r} should have "
                f"the shape {expected.get(wrong, 'nothing')}, staged is {found.get(wrong, 'nothing')}"
            )
        number_of[cell_id] = len(sources)
        sources.append(Source(name, architecture, partial(dict, {tensor: tensors[tensor] for tensor in expected})))
    which = np.array([number_of[cell_id] for cell_id in part["cell_id"]], dtype=np.intp)
    rows = np.array([staged_rows[key] for key in _checkpoints(part)], dtype=np.intp)
    return Models(part["model_id"].to_numpy(dtype=object), sources, which, rows)


def _write_shard(folder: Path, shard: str, models: Models, epoch: int) -> ShardEntry:
    path = folder / shard
    path.parent.mkdir(parents=True, exist_ok=True)
    (stack,) = models.by_architecture()
    shapes = {name: (len(stack), *stack.shape(name)) for name in stack.keys()}  # noqa: SIM118 - a Stack is no mapping
    with path.open("wb") as file:
        write_tensors(file, shapes, stack.__getitem__)
    content = hash_tensors(map_file(path, shard).tensors)  # of what a reader will see
    return ShardEntry(hash=content, architecture=stack.name, epoch=epoch, models=len(stack), bytes=path.stat().st_size)


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
