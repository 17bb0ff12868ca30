"""What zip archives (``.npz`` and torch's files are some) announce, checked before any of it is unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path

from wslbench.errors import ZooFormatError

MAX_UNPACKED_BYTES = 2 * 1024**3
"""As much as one shard of a zoo holds."""

_MAX_MEMBERS = 1_000_000  # a population in one file has a member a tensor
_MAX_RATIO = 100  # trained weights shrink by a tenth; sparse ones by more, but not to nothing
_UNSUSPICIOUS_BYTES = 16 * 2**20


def check_archive(path: Path, *, stored: bool = False) -> list[zipfile.ZipInfo]:
    """The members of an archive, none of which unfolds to more than was asked for.

    Parameters
    ----------
    stored
        Whether members have to stand in the archive as they are, as torch writes them.

    Raises
    ------
    ZooFormatError
        If it is no archive; holds a name twice, one that leads elsewhere, or one that is not printable; or if its
        members overlap, or unpack to more than :data:`MAX_UNPACKED_BYTES` or 100 times its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ZooFormatError(f"{path} is no archive that can be read: {error}") from error
    size = path.stat().st_size
    if len(members) > _MAX_MEMBERS or len({member.filename for member in members}) < len(members):
        raise ZooFormatError(f"{path} holds {len(members)} members, more than {_MAX_MEMBERS} or two of one name")
    for member in members:
        _check_name(member.filename, path)
        if stored and member.compress_type != zipfile.ZIP_STORED:
            raise ZooFormatError(f"{path}: member {member.filename!r} is compressed, which torch never does")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if packed > size or (stored and unpacked > size):
        raise ZooFormatError(f"{path} has {size} bytes and members of more: they overlap")
    if unpacked > MAX_UNPACKED_BYTES or unpacked > max(_UNSUSPICIOUS_BYTES, _MAX_RATIO * size):
        raise ZooFormatError(
            f"{path} would unpack from {size} to {unpacked} bytes; at most {MAX_UNPACKED_BYTES} bytes, and "
            f"{_MAX_RATIO} times its size, are read"
        )
    return members


def _check_name(name: str, path: Path) -> None:
    if not name.isprintable() or name.startswith("/") or ".." in name or "\\" in name:
        raise ZooFormatError(f"{path} has a member named {name!r}, which leads elsewhere or is not printable")
