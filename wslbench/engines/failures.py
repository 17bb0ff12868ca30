"""How a failure in a worker is told to the user."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

from wslbench.engines.attempt import Failure
from wslbench.errors import WslbenchError, ZooError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def raise_failure(failure: Failure, key: str, folder: Path) -> NoReturn:
    """Raise here what the work function raised there.

    Raises
    ------
    ZooError
        If the disk is full.
    WslbenchError
        As it was raised.
    Exception
        Any other, with the worker's traceback as a note.
    """
    error = failure.error
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        raise disk_full(error, f"job {key!r}", folder) from error
    if not isinstance(error, WslbenchError):
        error.add_note(f"It was raised in the worker that did job {key!r}:\n{failure.trace}")
    raise error


def disk_full(error: OSError, what: str, folder: Path) -> ZooError:
    """The error for a disk, or a quota, that has no room left."""
    where = error.filename or folder
    return ZooError(
        f"the disk is full: {what} could not write {where} ({error.strerror}). What is finished is kept in {folder}; "
        "free some space and give the same command again, it goes on from there"
    )
