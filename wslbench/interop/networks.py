"""Which network each checkpoint of a foreign zoo is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from wslbench.architectures import TENSORS, Architecture
from wslbench.errors import ZooFormatError
from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import is_name

_REFERENCE = "@"


class Networks(NamedTuple):
    """The architectures of a zoo by name, and the name of each checkpoint's ``[checkpoints]``."""

    architectures: dict[str, Architecture]
    names: list[str]


def described(pattern: Architecture, table: pd.DataFrame) -> Networks:
    """The architectures that a pattern gives, with arguments ``@column`` taken from a table's rows.

    Raises
    ------
    ZooFormatError
        If the table lacks such a column, or its values make no network.
    """
    wanted = {
        argument: value.removeprefix(_REFERENCE)
        for argument, value in pattern.arguments.items()
        if isinstance(value, str) and value.startswith(_REFERENCE)
    }
    for argument, column in wanted.items():
        if column not in table.columns:
            raise ZooFormatError(
                f"the architecture's {argument} is to be taken from the column {column!r}, which there is not; "
                f"there are {', '.join(map(str, table.columns))}"
            )
    varied = [column for column in dict.fromkeys(wanted.values()) if table[column].nunique(dropna=False) > 1]
    architectures: dict[str, Architecture] = {}
    names = []
    columns = list(dict.fromkeys(wanted.values()))
    found: dict[tuple[object, ...], str] = {}
    for values in table[columns].itertuples(index=False, name=None) if columns else [()] * len(table):
        key = tuple(None if pd.isna(value) else value for value in values)
        if key not in found:
            row = dict(zip(columns, key, strict=True))
            arguments = {name: value for name, value in pattern.arguments.items() if name not in wanted}
            arguments |= {name: _plain(row[column]) for name, column in wanted.items() if row[column] is not None}
            found[key] = _name(pattern.builder, {column: row[column] for column in varied})
            architectures[found[key]] = Architecture(builder=pattern.builder, arguments=arguments)
        names.append(found[key])
    return Networks(architectures, names)


def undescribed(table: pd.DataFrame, first_of: Callable[[pd.DataFrame], Mapping[str, FloatArray] | None]) -> Networks:
    """Architectures out of the first checkpoint of each cell, which the others have to be like.

    Parameters
    ----------
    first_of
        Reads the first of some rows that can be read; None: there is none, and the cell has no architecture.
    """
    name_of: dict[frozenset[tuple[str, tuple[int, ...]]], str] = {}
    architectures: dict[str, Architecture] = {}
    of_cell: dict[str, str] = {}
    for cell_id, rows in table.groupby("cell_id", sort=True):
        first = first_of(rows)
        if first is None:
            of_cell[str(cell_id)] = ""
            continue
        shapes = {name: tensor.shape for name, tensor in first.items()}
        # Some kinds of file sort their tensors by name: the order tells nothing about the network.
        name = name_of.setdefault(frozenset(shapes.items()), f"{TENSORS}-{len(name_of)}")
        if name not in architectures:
            architectures[name] = Architecture(
                builder=TENSORS, arguments={tensor: list(shape) for tensor, shape in shapes.items()}
            )
        of_cell[str(cell_id)] = name
    return Networks(architectures, [of_cell[cell_id] for cell_id in table["cell_id"]])


def _plain(value: object) -> int | float | str | bool:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)  # a column of whole numbers with gaps holds floats
    if not isinstance(plain, int | float | str | bool):
        raise ZooFormatError(f"{value!r} cannot be an argument of an architecture")
    return plain


def _name(builder: str, values: Mapping[str, object]) -> str:
    parts = [builder, *(f"{column}{_plain(value)}" for column, value in values.items() if value is not None)]
    name = "-".join(parts)
    if not is_name(name):
        raise ZooFormatError(f"{name!r} cannot name an architecture: letters, digits and . _ + = - only")
    return name
