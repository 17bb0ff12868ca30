"""Which parquet files of a folder are a data set's train part and which its test part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from wslbench.datasets._places import files_below
from wslbench.errors import DatasetError

SHARD = re.compile(r"^(?P<stem>.*?)-?(?P<index>\d{5})-of-(?P<count>\d{5})")


def split_files(folder: Path, configuration: str, prefix: str) -> list[Path]:
    """The parquet files of one part, in order.

    A file belongs to the part if its name, or else that of the folder it lies in, starts with the prefix:
    ``train-00000-of-00002.parquet``, ``data/test.parquet``, ``train/0000.parquet``. Where the folder
    has a sub-folder named after the configuration, only that one is looked at.

    Raises
    ------
    DatasetError
        If shards are missing, going by the number of shards in the files' names.
    """
    root = folder / configuration if (folder / configuration).is_dir() else folder
    found = files_below(root, (".parquet",))
    chosen = [path for path in found if _belongs(path, root, prefix)]
    _require_all_shards(chosen)
    return chosen


def _belongs(path: Path, root: Path, prefix: str) -> bool:
    return path.name.startswith(prefix) or (path.parent != root and path.parent.name.startswith(prefix))


def _require_all_shards(files: Sequence[Path]) -> None:
    series: dict[tuple[Path, str, int], set[int]] = {}
    for path in files:
        match = SHARD.match(path.name)
        if match:
            key = (path.parent, match["stem"], int(match["count"]))
            series.setdefault(key, set()).add(int(match["index"]))
    for (parent, stem, count), present in series.items():
        missing = sorted(set(range(count)) - present)
        if missing:
            raise DatasetError(
                f"{parent} has {len(present)} of the {count} parquet files {stem}-*-of-{count:05d}; "
                f"number {missing[0]:05d} is missing: fetch it too"
            )
