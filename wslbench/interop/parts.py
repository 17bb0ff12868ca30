"""A foreign zoo in parts that fit into memory, each named after what it is made from.

So an interrupted import goes on with the part that it was at, however large the cell, and where files or rows of the
source have changed meanwhile it does again the parts that they are in, and no others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.zoo.hashing import hash_json
from wslbench.zoo.staging import part_name
from wslbench.zoo.template import template

MOST_BYTES: Final = 64 * 2**20
_READ_BY = ("file", "set", "line", "model_id", "seed", "epoch")  # columns that say where a checkpoint is


class Part(NamedTuple):
    """Checkpoints of one cell that are read and staged together.

    Attributes
    ----------
    number
        A hash of what it is made from.
    positions
        Of its rows in the table, in order of epochs and seeds.
    """

    cell_id: str
    number: str
    positions: npt.NDArray[np.intp]

    @property
    def name(self) -> str:
        """What it is staged as."""
        return part_name(self.cell_id, self.number)


def bytes_of(network: Architecture) -> int:
    """Of the weights of one checkpoint."""
    return 4 * sum(map(math.prod, template(network).stored.values()))


def parts_of(
    table: pd.DataFrame, bytes_each: Mapping[str, int], files: Callable[[pd.DataFrame], Sequence[Path]], how: object
) -> Iterator[Part]:
    """Cut a table into parts.

    Parameters
    ----------
    table
        A row a checkpoint.
    bytes_each
        Of a checkpoint's weights, by architecture.
    files
        From rows to the files that they are read from.
    how
        JSON-like: whatever else decides what becomes of a file.
    """
    status: dict[Path, list[object]] = {}
    order = np.lexsort((table["seed"], table["epoch"]))
    for cell_id, places in table.iloc[order].groupby("cell_id", sort=True).indices.items():
        count = max(1, MOST_BYTES // max(1, bytes_each[table["architecture"].iloc[order[places[0]]]]))
        for first in range(0, len(places), count):
            positions = np.asarray(order[places[first : first + count]], np.intp)
            rows = table.iloc[positions]
            paths = dict.fromkeys(files(rows))
            for path in paths:
                if path not in status:
                    found = path.lstat()
                    status[path] = [str(path), found.st_size, found.st_mtime_ns]
            keys = [rows[column].tolist() for column in _READ_BY if column in rows.columns]
            digest = hash_json([how, keys, [status[path] for path in paths]])
            yield Part(str(cell_id), digest[:16], positions)
