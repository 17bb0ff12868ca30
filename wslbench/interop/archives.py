"""Zip archives (``.npz``, ``.pt``) that are not trusted: sizes and names are checked before anything is unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

from wslbench.errors import ZooFormatError

_MAX_DIRECTORY_BYTES = 4 * 2**20  # the list of entries: some forty thousand of them
MOST_DIRECTORY_BYTES = 128 * 2**20
"""Of a file that holds a whole population, with an entry a tensor."""

_MAX_FOLD = 20  # weights hardly compress, those of pruned networks up to their sparsity
_ALWAYS_FINE_BYTES = 2**25
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"


def refuse_special(path: Path) -> None:
    """Refuse what is no ordinary file: a pipe would be waited for without end, a device never ends.

    Raises
    ------
    ZooFormatError
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ZooFormatError(f"{path} is not an ordinary file")


def most_unfolded_bytes(file_bytes: int) -> int:
    """How many bytes of arrays a file of so many bytes may unfold to."""
    return max(_ALWAYS_FINE_BYTES, _MAX_FOLD * file_bytes)


def open_archive(path: Path, *, stored: bool = False, directory_bytes: int = _MAX_DIRECTORY_BYTES) -> zipfile.ZipFile:
    """Open a zip archive whose entries have sane names, each once, and together do not unfold without measure.

    Parameters
    ----------
    stored
        Whether entries have to stand in the archive as they are, as torch writes them.
    directory_bytes
        How long the list of entries may be.

    Raises
    ------
    ZooFormatError
        If it is not such an archive.
    OSError
        If it cannot be read.
    """
    refuse_special(path)
    size = path.stat().st_size
    _check_directory(path, size, directory_bytes)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ZooFormatError(f"{path} is no sound zip archive: {error}") from error
    try:
        _check_entries(path, size, archive.infolist(), stored)
    except BaseException:
        archive.close()
        raise
    return archive


def _check_directory(path: Path, size: int, most: int) -> None:
    """Check the length of the list of entries, which is read into memory as a whole.

    Nothing may follow its end: readers that look for the end differ in where they find it.
    """
    with path.open("rb") as file:
        file.seek(-min(size, 42), os.SEEK_END)
        tail = file.read(42)
        if not tail[-22:].startswith(_END):
            raise ZooFormatError(f"{path} is no sound zip archive: it does not end as one")
        length = int.from_bytes(tail[-10:-6], "little")
        if tail[:4] == _LOCATOR64 and size >= 98:  # a large archive keeps the true length in a record before that one
            file.seek(-98, os.SEEK_END)
            record = file.read(56)
            if not record.startswith(_END64):
                raise ZooFormatError(f"{path} is no sound zip archive: its end contradicts itself")
            length = int.from_bytes(record[40:48], "little")
    if length > min(size, most):
        raise ZooFormatError(f"{path} announces a list of entries of {length} bytes; at most {most} are read")


def _check_entries(path: Path, size: int, entries: list[zipfile.ZipInfo], stored: bool) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ZooFormatError(f"{path} holds two entries of one name")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise ZooFormatError(f"{path} holds an entry {name!r}, which leads out of the archive")
        if not name.isprintable():
            raise ZooFormatError(f"{path} holds an entry {name!r}, which is not printable")
    linked = [entry.filename for entry in entries if stat.S_ISLNK(entry.external_attr >> 16)]
    if linked:
        raise ZooFormatError(f"{path} holds an entry {linked[0]!r}, which is a symbolic link")
    unfolded = sum(entry.file_size for entry in entries)
    if unfolded > most_unfolded_bytes(size):
        raise ZooFormatError(
            f"{path} unfolds from {size} to {unfolded} bytes, more than any weights do: if they are true, save them "
            "without compression"
        )
    if stored and any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ZooFormatError(f"{path} is compressed, which torch.save never does")
    if sum(entry.compress_size for entry in entries) > size:
        raise ZooFormatError(f"{path} has {size} bytes and entries of more: they overlap")
