"""What is known of a foreign zoo before its weights are read: from its user, and from its own files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from wslbench.architectures import Architecture
from wslbench.interop.left_out import LeftOut
from wslbench.zoo.tables import MODEL_COLUMNS

# What readers and the zoo format say themselves of each checkpoint.
_OWN_COLUMNS = frozenset(
    {
        *MODEL_COLUMNS,
        "file",
        "set",
        "line",
        "network",
        "phase_probability",
        "unfinished",
        "short",
        "restarted",
        "diverged",
    }
)

Rows: TypeAlias = pd.DataFrame


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about a foreign zoo, because its files do not.

    Attributes
    ----------
    name
        The zoo's name.
    architecture
        The network that the state dicts belong to. An argument ``@column`` is taken from that column, checkpoint by
        checkpoint, and left out where the column has no value. None: what the files say; where they say nothing, too,
        networks are tensors by name, which statistics, spectra and tokens can be taken of.
    load, temperature
        Columns that span the grid of cells; None: what the layout has by custom.
    data_set, train_size, test_size
        The data that the networks were trained on, and its sizes in samples; None: not known.
    metadata
        A CSV file whose first column names the state dicts; None: ``metadata.csv`` in the source. Of layouts that
        need one.
    licence, citation, description, modality
        For the zoo's card. The modality is that of the data, such as ``images``.
    strict
        Whether weights that are not finite end the import; else such checkpoints are left out.
    rounded
        Whether numbers that float32 cannot hold exactly are rounded to it; else they end the import.
    """

    name: str
    architecture: Architecture | None
    load: str | None
    temperature: str | None
    data_set: str
    train_size: int | None = None
    test_size: int | None = None
    metadata: Path | None = None
    licence: str = "unknown"
    citation: str = "unknown"
    description: str = ""
    modality: str = "unknown"
    strict: bool = False
    rounded: bool = False


@dataclass(frozen=True)
class Listing:
    """What a foreign zoo holds.

    Attributes
    ----------
    table
        A row a checkpoint: ``file`` (inside the source), optionally ``seed`` and ``epoch``, and whatever is known.
    architecture
        As in :class:`ImportOptions`, where the files tell.
    load, temperature
        The axes by custom of the layout; None: it has none.
    varied
        Further columns in which runs of different cells differ.
    measured_epoch
        The epoch that annotations belong to; None: the last one.
    left_out
        What is in the source and of no use.
    logged
        Columns with what a trainer logged: where a measured checkpoint has no finite number, its run is unfinished.
    """

    table: pd.DataFrame
    architecture: Architecture | None = None
    load: str | None = None
    temperature: str | None = None
    varied: tuple[str, ...] = ()
    measured_epoch: int | None = None
    left_out: tuple[LeftOut, ...] = ()
    logged: tuple[str, ...] = ()


def free_name(name: str) -> str:
    """The column of a hyper-parameter of that name: ``config_…`` where readers have a column so called.

    A file that could say where its weights are would have others read.
    """
    return f"config_{name}" if name in _OWN_COLUMNS or name.startswith("published_") else name
