"""A disk, or a quota, without room: found behind whatever a library makes of it, named, and told in one sentence."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wslbench.errors import DiskFullError

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_RUST: Final = re.compile(r"\(os error (\d+)\)")  # how safetensors tells; its error is no OSError


def full_disk(error: BaseException) -> OSError | None:
    """The full disk that an error tells of, or was raised from, or while handling: the outermost that is told."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        told = _told(behind)
        if told is not None:
            return told
        behind = behind.__cause__ or behind.__context__
    return None


def _told(error: BaseException) -> OSError | None:
    if isinstance(error, OSError):
        return error if error.errno in _NO_SPACE else None
    found = _RUST.search(str(error)) if type(error).__module__.startswith("safetensors") else None
    number = int(found[1]) if found else 0
    return OSError(number, os.strerror(number)) if number in _NO_SPACE else None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Inside, a full disk is one that had no room for ``path``.

    By itself the error of a write names no file, and that of a copy the one that was read.
    """
    try:
        yield
    except Exception as error:
        full = full_disk(error)
        if full is None:
            raise
        raise OSError(full.errno, os.strerror(full.errno or errno.ENOSPC), str(path)) from error


def disk_full(full: OSError, what: str = "", folder: Path | None = None) -> DiskFullError:
    """What the user is told of a full disk.

    Parameters
    ----------
    what
        Did not find room; empty: nothing in particular.
    folder
        Where finished work is kept, and what is named if the error names no file; None where nobody knows.
    """
    where = full.filename or folder or "a file"
    subject = f"{what} could not write {where}" if what else f"{where} could not be written"
    kept = f"What is finished is kept in {folder}" if folder else "Nothing that was finished is lost"
    return DiskFullError(
        f"the disk is full: {subject} ({os.strerror(full.errno or errno.ENOSPC)}). {kept}; free some space and give "
        "the same command again, it goes on from there"
    )
