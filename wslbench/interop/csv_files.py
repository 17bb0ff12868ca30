"""CSV files that are not trusted: looked through in parts before a parser makes a table of them."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pandas as pd

from wslbench.errors import ZooFormatError
from wslbench.foreign_text import has_control_characters, read_bytes
from wslbench.interop.archives import refuse_special

MOST_LINES = 1_000_000
_MAX_LINE_BYTES = 2**16
_MAX_COLUMNS = 2_000  # a parser takes a while for each, however short the file
_MAX_VALUES = 10_000_000  # gaps are values: short lines under many columns take the room of long ones
_LONG_LINE = re.compile(rb"[^\n]{%d}" % _MAX_LINE_BYTES)
_PART = 2**20
_PLAIN_BYTES = bytes([*b"\t\n\r", *range(32, 127)])


def read_csv(path: Path, most_bytes: int) -> pd.DataFrame:
    """The table in a CSV file, in UTF-8.

    Raises
    ------
    ZooFormatError
        If it cannot be read, has more than ``most_bytes``, fills the memory with lines or columns, or holds what would
        take over a terminal.
    """
    try:
        content = read_bytes(path, most_bytes)
        _check(io.BytesIO(content), most_bytes, MOST_LINES)
        return pd.read_csv(io.BytesIO(content))
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise ZooFormatError(f"{path} cannot be read as CSV: {error}") from error


def read_packed_csv(path: Path, most_bytes: int, most_lines: int) -> pd.DataFrame:
    """The table in a CSV file that gzip has packed; unpacked it is never in memory as a whole.

    Parameters
    ----------
    most_bytes, most_lines
        What it may have, unpacked.

    Raises
    ------
    ZooFormatError
        As of :func:`read_csv`.
    """
    try:
        refuse_special(path)
        with gzip.open(path) as file:
            _check(file, most_bytes, most_lines)
        with gzip.open(path) as file:
            return pd.read_csv(file)
    except (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error) as error:
        raise ZooFormatError(f"{path} cannot be read as CSV in gzip: {error}") from error


def _check(file: IO[bytes] | gzip.GzipFile, most_bytes: int, most_lines: int) -> None:
    """Refuse what would fill the memory, and what would take over a terminal.

    Raises
    ------
    ValueError
    """
    size = lines = columns = 0
    rest = b""  # an unfinished line, which goes on in the next part
    for part in _parts(file):
        columns = columns or part.partition(b"\n")[0].count(b",") + 1
        if columns > _MAX_COLUMNS:
            raise ValueError(f"it has more than {_MAX_COLUMNS} columns")
        size += len(part)
        lines += part.count(b"\n")
        if size > most_bytes:
            raise ValueError(f"it has more than {most_bytes} bytes")
        if lines > most_lines:
            raise ValueError(f"it has more than {most_lines} lines")
        if lines * columns > _MAX_VALUES:
            raise ValueError(f"it has more than {_MAX_VALUES} values, gaps among them")
        if _LONG_LINE.search(text := rest + part):
            raise ValueError(f"it has a line of more than {_MAX_LINE_BYTES} bytes")
        whole, _, rest = text.rpartition(b"\n")
        _check_text(whole)
    _check_text(rest)


def _parts(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while part := file.read(_PART):
        yield part


def _check_text(text: bytes) -> None:
    # Most files are of plain letters, which takes a hundredth of the time to see.
    if text.translate(None, _PLAIN_BYTES) and has_control_characters(text.decode("utf-8")):
        raise ValueError("it holds control characters")
