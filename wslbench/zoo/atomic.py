"""Files and folders that appear whole or not at all.

What a killed process leaves is called ``.<name>.unfinished-<random>`` and goes away when the same file or folder is
written again: who has one in hands holds a lock on it, and a lock ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wslbench.full_disk import naming

_MARK = "unfinished-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path``, renamed onto it at the end, or removed if anything went wrong.

    Raises
    ------
    OSError
        On a full disk the one of :func:`~wslbench.full_disk.naming`, whatever was raised inside.
    """
    with naming(path):
        clear_leftovers(path)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.{_MARK}", dir=path.parent)
        temporary = Path(name)
        try:
            _hold(descriptor)
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would lock others out of a shared zoo
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def new_folder(path: Path, inside: Path | None = None) -> Iterator[Path]:
    """A temporary folder, renamed to ``path`` at the end, or removed if anything went wrong.

    ``path`` must not exist, or be an empty folder. The temporary one stands beside it, or ``inside`` another
    folder of the same file system.

    Raises
    ------
    OSError
        On a full disk the one of :func:`~wslbench.full_disk.naming`, whatever was raised inside.
    """
    workshop = inside or path.parent
    with naming(path):
        clear_leftovers(path, inside)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.{_MARK}", dir=workshop))
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            _hold(descriptor)
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_folder(path: Path) -> None:
    """Take a folder away, at one stroke for whoever looks; :func:`clear_leftovers` finishes that after a kill."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _hold(descriptor)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.{_MARK}", dir=path.parent))
        path.rename(temporary)  # over the empty folder
        shutil.rmtree(temporary)
    finally:
        os.close(descriptor)


def clear_leftovers(path: Path, inside: Path | None = None) -> None:
    """Remove what was to become ``path``, or had been it, and is in nobody's hands any more.

    It stands beside ``path``, or ``inside`` another folder; where there is none, there is nothing to be removed.
    """
    workshop = inside or path.parent
    if not workshop.is_dir():
        return
    prefix = f".{path.name}.{_MARK}"
    with os.scandir(workshop) as entries:
        leftovers = [entry.path for entry in entries if entry.name.startswith(prefix)]
    for leftover in leftovers:
        with suppress(OSError):  # another one cleared it, or it is being written
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                _take(descriptor)
                _remove(Path(leftover))
            finally:
                os.close(descriptor)


def _remove(leftover: Path) -> None:
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink()


def _hold(descriptor: int) -> None:
    """Let others see that somebody writes here. Where a file system knows no locks, nothing is ever cleared away."""
    with suppress(OSError):
        _take(descriptor)


def _take(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
