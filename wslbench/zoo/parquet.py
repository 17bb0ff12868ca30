"""Parquet files that are not trusted: plain columns of numbers and text, which do not unfold without measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wslbench.errors import ZooDamagedError, ZooFormatError
from wslbench.foreign_text import has_control_characters

# A footer tells the size of values as they are encoded. Dictionaries and run lengths unfold from there without limit:
# rows are counted before anything is decoded, and texts are measured while they still stand in dictionaries.
_MAX_VALUES = 20_000_000
_MAX_BYTES = 2**30
_MAX_TEXT_BYTES = 2**27


def read_parquet(path: Path, label: str) -> pa.Table:
    """Read a table of numbers and text.

    Raises
    ------
    ZooDamagedError
        If the file is missing, no ordinary file or no parquet, or unfolds to more than is read.
    ZooFormatError
        If a column is neither numbers nor text, stands twice, or holds control characters.
    """
    try:
        if not path.is_file() and path.exists():  # a pipe would be waited for without end
            raise ZooDamagedError(f"{label} is not an ordinary file")
        with pq.ParquetFile(path) as file:
            footer, schema = file.metadata, file.schema_arrow
        _check_footer(footer, label)
        _check_schema(schema, label)
        table = pq.read_table(
            path, partitioning=None, read_dictionary=[field.name for field in schema if is_text(field.type)]
        )
        table.validate(full=True)  # damaged files point beyond their dictionaries
    except FileNotFoundError as error:
        raise ZooDamagedError(f"{label} is missing") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise ZooDamagedError(f"{label} cannot be read as parquet: {error}") from error
    _check_texts(table, label)
    return table.cast(schema)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column is text; one without any value may be."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _check_footer(footer: pq.FileMetaData, label: str) -> None:
    announced = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    if footer.num_rows * footer.num_columns > _MAX_VALUES or announced > _MAX_BYTES:
        raise ZooDamagedError(
            f"{label} unfolds to {footer.num_rows} rows of {footer.num_columns} columns and {announced} bytes, "
            f"more than the {_MAX_VALUES} values and {_MAX_BYTES} bytes that are read"
        )


def _check_schema(schema: pa.Schema, label: str) -> None:
    if len(set(schema.names)) != len(schema.names):
        raise ZooFormatError(f"{label} has two columns of one name")
    for field in schema:
        if has_control_characters(field.name):
            raise ZooFormatError(f"{label}: the name of column {field.name!r} holds control characters")
        if not (is_text(field.type) or _is_number(field.type)):
            raise ZooFormatError(f"{label}: column {field.name!r} is {field.type}, neither numbers nor text")


def _check_texts(table: pa.Table, label: str) -> None:
    unfolded = 0
    for field in table.schema:
        if not pa.types.is_dictionary(field.type):
            continue
        for chunk in table.column(field.name).chunks:
            lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0).to_numpy(zero_copy_only=False)
            used = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
            unfolded += int(lengths[used].sum(dtype=np.int64))
            if unfolded > _MAX_TEXT_BYTES:
                raise ZooDamagedError(f"{label} unfolds to more than the {_MAX_TEXT_BYTES} bytes of text that are read")
            if any(has_control_characters(text) for text in chunk.dictionary.to_pylist() if text is not None):
                raise ZooFormatError(
                    f"{label}: column {field.name!r} holds control characters, which could take over a terminal"
                )
