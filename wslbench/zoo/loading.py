"""Finding a zoo by name or path."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from wslbench.bundled import embedded_zoos_path
from wslbench.errors import ZooNotFoundError
from wslbench.zoo.documents import MANIFEST
from wslbench.zoo.reader import Zoo
from wslbench.zoo.schema import is_name

HUB_SCHEME = "hf://"


def embedded_zoos() -> list[str]:
    """Names of the zoos that ship inside the package."""
    return sorted(manifest.parent.name for manifest in embedded_zoos_path().glob(f"*/{MANIFEST}"))


def load_zoo(name_or_path: str | os.PathLike[str]) -> Zoo:
    """Open a zoo: an embedded one by its name, one of the hub by ``hf://owner/name@revision``, any other by its folder.

    Of a zoo on the hub the tables are fetched at once, and a shard of weights when it is first asked for; all of it is
    checked against the manifest and kept in the cache.

    Where an embedded zoo and a folder share a name, the embedded one is meant; write ``./name`` for the folder.

    Raises
    ------
    ZooNotFoundError
        If there is neither an embedded zoo nor a folder of that name.
    ZooError
        If the folder is not a zoo that this wslbench can read; see :class:`Zoo`.
    HubError
        If a zoo is not in the cache and cannot be fetched from the hub.
    SealedError
        If a method asks, inside an evaluation, for an embedded zoo or the one under evaluation.
    """
    if os.fspath(name_or_path).startswith(HUB_SCHEME):
        # By name: the hub stands above this package, and only who asks for it loads it.
        zoo: Zoo = importlib.import_module("wslbench.hub").open_hub_zoo(os.fspath(name_or_path))
        return zoo
    path = _find(name_or_path)
    if not path.is_dir():
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
