"""Decoded arrays kept on disk, so that 60,000 images are decoded once and then mapped by every process.

An entry is a folder of ``.npy`` files and a manifest with their checksums. It appears whole or not at all; one
that is damaged is made again. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wslbench.datasets._places import cache_folder

FORMAT = "1"  # of the entries; another one leaves the old entries unread
MANIFEST = "manifest.json"

Arrays = Mapping[str, NDArray[Any]]


def cached_arrays(name: str, key: Iterable[object], build: Callable[[], Arrays]) -> Arrays:
    """The arrays that ``build`` makes, from the cache where they have been made before.

    Parameters
    ----------
    name
        The data set, for the entry's name.
    key
        Everything that the arrays depend on; see :func:`file_key` for files.
    build
        Makes the arrays, by names that are good file names.

    Returns
    -------
    Arrays
        Mapped copy-on-write where the cache can be used, in memory where it cannot be written.
    """
    digest = hashlib.sha256("\n".join([FORMAT, *map(str, key)]).encode()).hexdigest()[:32]
    folder = cache_folder() / "datasets" / f"{name}-{digest}"
    arrays = _read(folder)
    if arrays is None:
        arrays = build()
        if _write(folder, arrays):
            del arrays  # or else they would stand in memory twice
            return _read(folder) or build()
    return arrays


def file_key(path: Path) -> str:
    """What tells one state of a file from another: place, size and time of change."""
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"


def _read(folder: Path) -> Arrays | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        arrays = {name: np.asarray(_map(folder, name)) for name in manifest}
        if all(_checksum(array) == manifest[name] for name, array in arrays.items()):
            return arrays
    except (OSError, ValueError, TypeError, SyntaxError, EOFError):
        pass  # absent or damaged: the caller makes it again
    return None


def _map(folder: Path, name: str) -> NDArray[Any]:
    # "c": writable, as torch wants its memory, yet the file and other processes never see a change.
    mapped: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    return mapped


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(array.reshape(-1).view(np.uint8).data)


def _write(folder: Path, arrays: Arrays) -> bool:
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        manifest = {name: _checksum(array) for name, array in arrays.items()}
        (temporary / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        return True
    except OSError as error:
        # A full or read-only disk costs time at the next start, not the data; so does another process that was first.
        logging.getLogger(__name__).info("decoded data not kept in %s: %s", folder, error)
        return False
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
