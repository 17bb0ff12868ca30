"""How a failure in a worker is told to the user."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from wslbench.engines.attempt import Failure
from wslbench.errors import WslbenchError
from wslbench.full_disk import disk_full, full_disk


def raise_failure(failure: Failure, key: str, folder: Path) -> NoReturn:
    """Raise here what the work function raised there.

    Raises
    ------
    DiskFullError
        If the disk is full.
    WslbenchError
        As it was raised.
    Exception
        Any other, with the worker's traceback as a note.
    """
    error = failure.error
    full = full_disk(error)
    if full is not None:
        raise disk_full(full, f"job {key!r}", folder) from error
    if not isinstance(error, WslbenchError):
        error.add_note(f"It was raised in the worker that did job {key!r}:\n{failure.trace}")
    raise error
