"""The layout ``state-dicts``: a folder of state dicts, and a CSV file that says what they are."""

from __future__ import annotations

from pathlib import Path

from wslbench.errors import ZooFormatError
from wslbench.interop.csv_files import read_csv
from wslbench.interop.listing import ImportOptions, Listing

_MAX_BYTES = 32 * 2**20  # a hundred thousand checkpoints with all that is known of them


def list_state_dicts(source: Path, options: ImportOptions) -> Listing:
    """A row a state dict, as the CSV lists them; its first column, the file, is named ``file``.

    Raises
    ------
    ZooFormatError
        If the CSV cannot be read, or names a file twice.
    """
    path = options.metadata or source / "metadata.csv"
    try:
        table = read_csv(path, _MAX_BYTES)
    except ZooFormatError as error:
        raise ZooFormatError(f"{error}; give the right one by --metadata") from error
    if table.empty:
        raise ZooFormatError(f"{path} lists no state dict")
    if "file" in table.columns[1:]:
        raise ZooFormatError(f"{path} has a column 'file' behind its first, which names the files: rename it")
    table = table.rename(columns={table.columns[0]: "file"})
    table["file"] = table["file"].astype(str)
    if table["file"].duplicated().any():
        raise ZooFormatError(f"{path} lists {table['file'][table['file'].duplicated()].iloc[0]!r} twice")
    return Listing(table)
