"""The layout ``state-dicts``: a folder of state dicts, and a CSV file that says what they are."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from wslbench.errors import ZooFormatError
from wslbench.foreign_text import has_control_characters, read_bytes
from wslbench.interop.listing import ImportOptions, Listing

_MAX_BYTES = 32 * 2**20  # a hundred thousand checkpoints with all that is known of them
_MAX_LINES = 1_000_000
_MAX_LINE_BYTES = 2**16
_LONG_LINE = re.compile(rb"[^\n]{%d}" % _MAX_LINE_BYTES)


def list_state_dicts(source: Path, options: ImportOptions) -> Listing:
    """A row a state dict, as the CSV lists them; its first column, the file, is named ``file``.

    Raises
    ------
    ZooFormatError
        If the CSV cannot be read, or names a file twice.
    """
    path = options.metadata or source / "metadata.csv"
    try:
        content = read_bytes(path, _MAX_BYTES)
        _check_rows(content)
        table = pd.read_csv(io.BytesIO(content))
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise ZooFormatError(f"{path} cannot be read as CSV: {error}; give the right one by --metadata") from error
    if table.empty:
        raise ZooFormatError(f"{path} lists no state dict")
    if "file" in table.columns[1:]:
        raise ZooFormatError(f"{path} has a column 'file' behind its first, which names the files: rename it")
    table = table.rename(columns={table.columns[0]: "file"})
    table["file"] = table["file"].astype(str)
    if table["file"].duplicated().any():
        raise ZooFormatError(f"{path} lists {table['file'][table['file'].duplicated()].iloc[0]!r} twice")
    return Listing(table)


def _check_rows(content: bytes) -> None:
    """Refuse what would fill the memory with columns, and what would take over a terminal.

    Raises
    ------
    ValueError
    """
    if content.count(b"\n") > _MAX_LINES:
        raise ValueError(f"it has more than {_MAX_LINES} lines")
    if _LONG_LINE.search(content):
        raise ValueError(f"it has a line of more than {_MAX_LINE_BYTES} bytes")
    if has_control_characters(content.decode("utf-8")):
        raise ValueError("it holds control characters")
