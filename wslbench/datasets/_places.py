"""Where data sets lie on this machine: the user's own folder, and the cache of what was decoded from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from wslbench.errors import DatasetError

DATA_VARIABLE = "WSLBENCH_DATA"
CACHE_VARIABLE = "WSLBENCH_CACHE"


def local_folder(name: str) -> Path | None:
    """The folder ``$WSLBENCH_DATA/<name>``, or None where the user keeps no such data set.

    Raises
    ------
    DatasetError
        If WSLBENCH_DATA is set to something that is not a folder.
    """
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        return None
    root = Path(value).expanduser()
    if not root.is_dir():
        raise DatasetError(
            f"{DATA_VARIABLE} is {value!r}, which is not a folder: set it to the folder that holds a folder a data "
            f"set (such as {name}/), or unset it"
        )
    return root / name if (root / name).is_dir() else None


def files_below(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """All files with one of the suffixes below a folder, by relative path; hidden ones are not seen."""
    wanted = tuple(suffixes)
    found = (path for path in folder.rglob("*") if path.name.endswith(wanted) and path.is_file())
    # `hf download --local-dir` leaves bookkeeping in .cache/.
    visible = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


def cache_folder() -> Path:
    """The folder for what can be made again: ``$WSLBENCH_CACHE``, or the platform's cache folder."""
    value = os.environ.get(CACHE_VARIABLE)
    if value:
        return Path(value).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "wslbench"
    if os.name == "nt":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "wslbench" / "cache"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wslbench"
