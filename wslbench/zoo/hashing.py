"""Hashes of content: of arrays and rows, never of the bytes of a container.

Two files of the same content have the same hash, whichever library version wrote them and however they are
compressed; a changed value, name, dtype or shape changes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import AnnotationsEntry, ShardEntry, ZooCard
from wslbench.zoo.tables import plain


def hash_json(value: object) -> str:
    """Hash of a JSON value; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def hash_tensors(tensors: Mapping[str, FloatArray]) -> str:
    """Hash of named tensors: names, dtype, shapes, little-endian bytes; the order of names does not matter."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name], dtype="<f4")
        digest.update(json.dumps([name, "F32", list(values.shape)]).encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def hash_shards(shards: Mapping[str, ShardEntry]) -> str:
    """The one hash of all weights, from those of the shards."""
    return hash_json([[path, entry.architecture, entry.epoch, entry.hash] for path, entry in sorted(shards.items())])


def hash_rows(frame: pd.DataFrame, order: Sequence[str]) -> str:
    """Hash of a table's rows, sorted by the columns ``order`` (which name a row uniquely); column order is ignored.

    All missing values are one, and so are all float widths and all integer widths.
    """
    frame = plain(frame).sort_values(list(order))
    digest = hashlib.sha256(json.dumps(len(frame)).encode())
    for column in sorted(frame.columns):
        kind, content = _content(frame[column])
        digest.update(json.dumps([column, kind, len(content)]).encode())
        digest.update(content)
    return digest.hexdigest()


def _content(values: pd.Series) -> tuple[str, bytes]:
    kind = values.dtype.kind
    if kind == "b":
        return "bool", values.to_numpy(dtype="u1").tobytes()
    if kind == "i":
        return "int", values.to_numpy(dtype="<i8").tobytes()
    if kind == "f":
        numbers = values.to_numpy(dtype="<f8", copy=True)
        numbers[np.isnan(numbers)] = np.nan  # one bit pattern for every not-a-number
        return "float", numbers.tobytes()
    texts = values.to_numpy(dtype=object, copy=True)
    texts[values.isna().to_numpy()] = None
    return "text", json.dumps(texts.tolist()).encode()


def hash_annotations(card: ZooCard, models: pd.DataFrame, pairs: pd.DataFrame) -> AnnotationsEntry:
    """Hashes of everything about a zoo but its weights and splits.

    Parameters
    ----------
    models
        The rows of ``models.parquet`` with ``model_id`` as a column. Where a model stands in the shards
        follows from its id and is left out.
    pairs
        The rows of ``pairs.parquet``.
    """
    card_hash = hash_json(card.content())
    models_hash = hash_rows(models.drop(columns=["shard", "row"], errors="ignore"), ["model_id"])
    pairs_hash = hash_rows(pairs, ["cell_id", "seed_a", "seed_b"])
    together = combine_annotations(card_hash, models_hash, pairs_hash)
    return AnnotationsEntry(hash=together, card=card_hash, models=models_hash, pairs=pairs_hash)


def combine_annotations(card: str, models: str, pairs: str) -> str:
    """The one hash of all annotations."""
    return hash_json([card, models, pairs])
