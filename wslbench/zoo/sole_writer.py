"""One writer a zoo: the lock file beside a folder while it is grown or annotated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wslbench.errors import ZooError


@contextmanager
def sole_writer(zoo: Path, busy: str) -> Iterator[None]:
    """Hold ``.<zoo>.lock``, which goes away at the end; one that a killed process left holds nobody up.

    Parameters
    ----------
    zoo
        The zoo's folder, there or not; folders above it are made.
    busy
        The error's message where another process holds the lock.

    Raises
    ------
    ZooError
        If another process holds the lock, or nothing can be written beside the zoo.
    """
    file = zoo.with_name(f".{zoo.name}.lock")
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ZooError(busy) from error
    except OSError as error:
        raise ZooError(f"{file} cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # while it is held, so that nobody's lock is taken away
        lock.release()
