"""The tables of a zoo: plain columns, written to and read from parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from wslbench.errors import ZooFormatError
from wslbench.zoo.atomic import replacing
from wslbench.zoo.parquet import is_text, read_parquet

# What every checkpoint must have; hyper-parameters, losses and order parameters stand beside it.
MODEL_COLUMNS = ("model_id", "run_id", "cell_id", "seed", "epoch", "measured", "architecture", "phase", "shard", "row")
PAIR_COLUMNS = ("cell_id", "seed_a", "seed_b")
_TEXT_COLUMNS = frozenset({"model_id", "run_id", "cell_id", "architecture", "phase", "shard", "unit"})
_WHOLE_COLUMNS = frozenset({"seed", "epoch", "row", "seed_a", "seed_b", "fold"})
SPLIT_COLUMNS = ("run_id", "cell_id", "unit", "fold")


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with columns of four kinds alone: bool, int64, float64, and text (missing values allowed).

    Raises
    ------
    ZooFormatError
        If a column holds anything else.
    """
    return pd.DataFrame({str(name): _plain_column(frame[name]) for name in frame.columns}).reset_index(drop=True)


def _plain_column(values: pd.Series) -> pd.Series:
    kinds = pd.api.types
    values = values.reset_index(drop=True)
    if kinds.is_bool_dtype(values.dtype) and not values.isna().any():
        return values.astype(bool)
    if kinds.is_integer_dtype(values.dtype) and not values.isna().any():
        return values.astype("int64")
    if kinds.is_numeric_dtype(values.dtype) and not kinds.is_bool_dtype(values.dtype):
        return values.astype("float64")
    if isinstance(values.dtype, pd.StringDtype):
        return values.astype("str" if pd.__version__ >= "3" else object)  # text already: nothing to look through
    texts = values.astype(object)
    if not all(isinstance(text, str) for text in texts[texts.notna()]):
        raise ZooFormatError(f"column {values.name!r} holds values that are neither numbers nor text")
    return texts.where(texts.notna(), None).astype("str" if pd.__version__ >= "3" else object)


def write_table(frame: pd.DataFrame, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a table (its columns, not its index) to parquet, atomically."""
    table = pa.Table.from_pandas(plain(frame), preserve_index=False)
    table = table.replace_schema_metadata(dict(metadata) if metadata else None)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: Path, columns: Iterable[str], label: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read a table and its metadata, and check that the columns are there.

    Raises
    ------
    ZooDamagedError
        If the file is missing or is no parquet, or unfolds to more than is read.
    ZooFormatError
        If a column is missing or of another type than it should be; see also :func:`read_parquet`.
    """
    table = read_parquet(path, label)
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise ZooFormatError(f"{label} lacks the column {missing[0]!r}")
    _check_types(table, label)
    metadata = table.schema.metadata or {}
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    try:
        return plain(frame), {
            key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items()
        }
    except ZooFormatError as error:
        raise ZooFormatError(f"{label}: {error}") from error


def _check_types(table: pa.Table, label: str) -> None:
    """Check the columns of known meaning; one without any value (no phase anywhere, no pairs) may have any type."""
    for field in table.schema:
        if table.column(field.name).null_count == table.num_rows:
            continue
        if field.name in _TEXT_COLUMNS and not is_text(field.type):
            raise ZooFormatError(f"{label}: column {field.name!r} has to be text, not {field.type}")
        if field.name in _WHOLE_COLUMNS and not pa.types.is_integer(field.type):
            raise ZooFormatError(f"{label}: column {field.name!r} has to be whole numbers, not {field.type}")
