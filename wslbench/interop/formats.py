"""The registry of import formats, and what a format tells of a foreign zoo before any weight is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wslbench.architectures import Architecture
from wslbench.interop.state_dicts import list_state_dicts
from wslbench.interop.tensors import read_tensors
from wslbench.zoo.models import FloatArray


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about a foreign zoo, because its files do not.

    Attributes
    ----------
    name
        The zoo's name.
    architecture
        The network that all state dicts belong to.
    load, temperature
        Columns of the metadata that span the grid of cells.
    data_set, train_size
        The data that the networks were trained on, and its size in samples.
    metadata
        A CSV file whose first column names the state dicts; None: ``metadata.csv`` in the source.
    licence, citation, description
        For the zoo's card.
    """

    name: str
    architecture: Architecture
    load: str
    temperature: str
    data_set: str
    train_size: int
    metadata: Path | None = None
    licence: str = "unknown"
    citation: str = "unknown"
    description: str = ""


@dataclass(frozen=True)
class ImportFormat:
    """How a layout is read.

    Attributes
    ----------
    listing
        From source folder and metadata file: a row a checkpoint, with the columns ``file`` (inside the source),
        optionally ``seed`` and ``epoch``, and whatever is known of it.
    read
        From a file's path: its tensors, by name.
    """

    listing: Callable[[Path, Path | None], pd.DataFrame]
    read: Callable[[Path], Mapping[str, FloatArray]]


FORMATS: dict[str, ImportFormat] = {"state-dicts": ImportFormat(list_state_dicts, read_tensors)}
