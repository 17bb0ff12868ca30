"""Parquet files as streams of record batches, with errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wslbench.errors import DatasetError

BATCH_ROWS = 1024


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A ``pyarrow.parquet.ParquetFile``; whatever pyarrow raises while it is read becomes a DatasetError."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{path} cannot be read as parquet, it may be cut off or damaged ({reason}): fetch it again"
        ) from error


def rows(path: Path) -> int:
    """Number of rows, from the file's footer."""
    with opened(path) as file:
        return int(file.metadata.num_rows)


def require_columns(path: Path, schema: Any, *columns: str) -> None:
    """Refuse a file without these columns, with the columns that it has."""
    missing = [column for column in columns if column not in schema.names]
    if missing:
        raise DatasetError(
            f"{path} has no column {missing[0]!r}, only {', '.join(schema.names) or 'none'}: "
            "is it a file of this data set, in the hub's own layout?"
        )
