"""Documents of a corpus, one after another, from text and parquet files; no file is ever in memory whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from wslbench.datasets import _parquet
from wslbench.errors import DatasetError

SEPARATOR = "<|endoftext|>"  # between the documents of a text file, as GPT-2's own corpus has it
CHUNK = 1 << 20  # characters
COLUMN = "text"


def documents(files: Iterable[Path]) -> Iterator[str]:
    """The documents of parquet files (column ``text``, a row each) and of text files, without the empty ones.

    A text file is one document, or several with ``<|endoftext|>`` between them.

    Raises
    ------
    DatasetError
        If a file is damaged, has no such column or is not UTF-8.
    """
    for path in files:
        texts = _of_parquet(path) if path.suffix == ".parquet" else _of_text(path)
        yield from (text for text in texts if text)


def _of_parquet(path: Path) -> Iterator[str]:
    import pyarrow

    with _parquet.opened(path) as file:
        _parquet.require_columns(path, file.schema_arrow, COLUMN)
        kind = file.schema_arrow.field(COLUMN).type
        if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
            raise DatasetError(f"{path}: column {COLUMN!r} is {kind}, not text")
        row = 0
        for batch in file.iter_batches(batch_size=_parquet.BATCH_ROWS, columns=[COLUMN]):
            for text in batch.column(COLUMN).to_pylist():
                if text is None:
                    raise DatasetError(f"{path}, row {row} (from 0): no text")
                yield text
                row += 1


def _of_text(path: Path) -> Iterator[str]:
    pending = ""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            while chunk := file.read(CHUNK):
                *whole, pending = (pending + chunk).split(SEPARATOR)
                yield from whole
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text ({error}): fetch it again") from error
    yield pending
