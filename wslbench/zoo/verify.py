"""Verification: every byte and every row of a zoo against its manifest, its card and its own rules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wslbench.errors import HubError, ZooError
from wslbench.zoo.hashing import hash_tensors
from wslbench.zoo.identity import model_id
from wslbench.zoo.models import FloatArray
from wslbench.zoo.reader import Zoo
from wslbench.zoo.template import template

_PART = 2**22


def verify(zoo: Zoo) -> list[str]:
    """Everything that is wrong with a zoo, one sentence each; empty where it is sound.

    Reads all weights, and fetches those of a zoo on the hub. What :class:`Zoo` checks when it opens a folder has been
    checked already.

    Raises
    ------
    HubError
        If weights are to be fetched and cannot be.
    """
    return [*_weights(zoo), *_strays(zoo), *_tables(zoo), *_splits(zoo)]


def _weights(zoo: Zoo) -> Iterator[str]:
    for shard, entry in zoo.manifest.weights.shards.items():
        try:
            tensors = zoo.map_shard(shard)
            expected = template(zoo.card.architectures[entry.architecture]).stored
        except HubError:  # not there, and so neither sound nor not
            raise
        except ZooError as error:
            yield str(error)
            continue
        if hash_tensors(tensors) != entry.hash:
            yield f"{zoo.path / shard} is damaged: its tensors are not those that the manifest describes"
        found = {name: tensor.shape[1:] for name, tensor in tensors.items()}
        if list(found.items()) != list(expected.items()):
            yield f"{zoo.path / shard} does not hold the tensors of architecture {entry.architecture!r}, in its order"
        for name, tensor in tensors.items():
            if not _all_finite(tensor):
                yield f"{zoo.path / shard}: tensor {name!r} holds values that are not finite"


def _all_finite(tensor: FloatArray) -> bool:
    flat = tensor.reshape(-1)  # in parts: a mask of all of it may not fit into memory
    return all(np.isfinite(flat[first : first + _PART]).all() for first in range(0, len(flat), _PART))


def _strays(zoo: Zoo) -> Iterator[str]:
    known = set(zoo.manifest.weights.shards) | {f"splits/{protocol}.parquet" for protocol in zoo.protocols}
    for folder in ("weights", "splits"):
        for path in sorted((zoo.path / folder).rglob("*")):
            if path.is_file() and path.relative_to(zoo.path).as_posix() not in known:
                yield f"{path} is not in the manifest"


def _tables(zoo: Zoo) -> Iterator[str]:
    try:
        table = zoo.table
    except ZooError as error:
        yield str(error)
        return
    keys = zip(table["cell_id"], table["seed"], table["epoch"], strict=True)
    for found, key in zip(table.index, keys, strict=True):
        if found != model_id(zoo.card.namespace, *key):
            yield f"{zoo.path / 'models.parquet'}: model_id {found!r} is not that of (cell, seed, epoch) {key}"
            break
    if not (table["measured"] == (table["epoch"] == zoo.card.measured_epoch)).all():
        yield f"{zoo.path / 'models.parquet'}: the measured checkpoints are not those of the card's measured_epoch"
    for axis in (zoo.card.load, zoo.card.temperature):
        if axis.column not in table.columns:
            yield f"{zoo.path / 'models.parquet'} lacks the axis {axis.column!r}"
        elif not set(table[axis.column]) <= set(axis.values):
            yield f"{zoo.path / 'models.parquet'}: {axis.column!r} has values that the card does not list"
    try:
        strangers = set(zoo.pairs["cell_id"]) - set(table["cell_id"])
    except ZooError as error:
        yield str(error)
        return
    if strangers:
        yield f"{zoo.path / 'pairs.parquet'} names cell {sorted(strangers)[0]!r}, which is not in models.parquet"


def _splits(zoo: Zoo) -> Iterator[str]:
    for protocol in zoo.protocols:
        try:
            zoo.split(protocol)
        except ZooError as error:
            yield str(error)
