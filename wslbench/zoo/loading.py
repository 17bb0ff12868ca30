"""Finding a zoo by name or path."""

from __future__ import annotations

import os
from pathlib import Path

from wslbench.bundled import embedded_zoos_path
from wslbench.errors import ZooNotFoundError
from wslbench.zoo.documents import MANIFEST
from wslbench.zoo.reader import Zoo
from wslbench.zoo.schema import is_name


def embedded_zoos() -> list[str]:
    """Names of the zoos that ship inside the package."""
    return sorted(manifest.parent.name for manifest in embedded_zoos_path().glob(f"*/{MANIFEST}"))


def load_zoo(name_or_path: str | os.PathLike[str]) -> Zoo:
    """Open a zoo: an embedded one by its name, or any other by its folder.

    Where an embedded zoo and a folder share a name, the embedded one is meant; write ``./name`` for the folder.

    Raises
    ------
    ZooNotFoundError
        If there is neither an embedded zoo nor a folder of that name.
    ZooError
        If the folder is not a zoo that this wslbench can read; see :class:`Zoo`.
    SealedError
        If a method asks, inside an evaluation, for an embedded zoo or the one under evaluation.
    """
    path = _find(name_or_path)
    if not path.is_dir():
        if os.fspath(name_or_path).startswith("hf://"):
            raise ZooNotFoundError(
                f"{os.fspath(name_or_path)!r}: this version reads zoos from disk. Download the dataset repository "
                "(`hf download --repo-type dataset OWNER/NAME --local-dir FOLDER`) and give its folder"
            )
        known = ", ".join(embedded_zoos()) or "none"
        raise ZooNotFoundError(
            f"there is no zoo {os.fspath(name_or_path)!r}: neither an embedded zoo ({known}) nor a folder"
        )
    if not (path / MANIFEST).is_file():
        hint = "; an unfinished build is continued by `wslbench zoo build`" if path.name.endswith(".partial") else ""
        raise ZooNotFoundError(f"the folder {path} is not a zoo: it has no {MANIFEST}{hint}")
    return Zoo(path)


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    if isinstance(name_or_path, str) and is_name(name_or_path) and (embedded_zoos_path() / name_or_path).is_dir():
        return embedded_zoos_path() / name_or_path
    return Path(name_or_path).expanduser()
