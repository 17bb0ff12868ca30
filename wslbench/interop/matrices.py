"""Populations as matrices: a row a network, a column a weight, and a table that says which columns are which tensor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.errors import WeightsNotFiniteError, ZooFormatError
from wslbench.interop.archives import refuse_special
from wslbench.interop.csv_files import read_csv
from wslbench.interop.npy_headers import npy_header
from wslbench.zoo.models import FloatArray

_MAX_LAYOUT_BYTES = 2**20  # a line a tensor
_COLUMNS = ("varname", "start_idx", "end_idx", "shape")
_SHAPE = re.compile(r"[(\[]?\s*(?:\d{1,9}\s*(?:,\s*\d{1,9}\s*)*)?,?\s*[)\]]?")


class Place(NamedTuple):
    """Where in a row one tensor stands."""

    name: str
    begin: int
    end: int
    shape: tuple[int, ...]


def map_matrix(path: Path) -> npt.NDArray[np.floating]:
    """A ``.npy`` file, mapped.

    Raises
    ------
    ZooFormatError
        If it is none, holds objects (they would have to be unpickled), or is no matrix of real numbers.
    """
    try:
        refuse_special(path)
        with path.open("rb") as file:
            npy_header(file)
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError, MemoryError) as error:
        raise ZooFormatError(f"{path} cannot be mapped as a plain array: {error}") from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise ZooFormatError(f"{path} holds no matrix of real numbers, a row a network")
    return matrix


def read_layout(path: Path, width: int) -> list[Place]:
    """The tensors of a row, which have to fill it without a gap.

    Parameters
    ----------
    width
        The matrix' columns.

    Raises
    ------
    ZooFormatError
        If the file is no such table, or its tensors do not fit each other or the matrix.
    """
    try:
        table = read_csv(path, _MAX_LAYOUT_BYTES)
        missing = [column for column in _COLUMNS if column not in table.columns]
        if missing:
            raise ZooFormatError(f"{path} lacks the column {missing[0]!r}")
        places = [
            Place(str(name), int(begin), int(end), _shape(str(shape)))
            for name, begin, end, shape in table[list(_COLUMNS)].itertuples(index=False, name=None)
        ]
    except (OverflowError, ValueError) as error:
        raise ZooFormatError(f"{path} cannot be read: {error}") from error
    places.sort(key=lambda place: place.begin)
    at = 0
    for place in places:
        if place.begin != at or place.end - place.begin != int(np.prod(place.shape)):
            raise ZooFormatError(
                f"{path}: {place.name!r} of shape {place.shape} does not fill columns {place.begin} to {place.end}, "
                f"or leaves a gap behind column {at}"
            )
        at = place.end
    if at != width or len({place.name for place in places}) < len(places):
        raise ZooFormatError(f"{path}: the tensors fill {at} columns of {width}, or two have one name")
    return places


def _shape(text: str) -> tuple[int, ...]:
    if not _SHAPE.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no shape")
    return tuple(int(number) for number in re.findall(r"\d+", text))


def rows_of(
    path: Path, places: list[Place], lines: npt.NDArray[np.intp], rounded: bool = False
) -> Iterator[Mapping[str, FloatArray]]:
    """The networks on some lines of a matrix, one after the other, as float32.

    Parameters
    ----------
    rounded
        Whether numbers of more digits are rounded.

    Raises
    ------
    WeightsNotFiniteError
        If a number is not finite.
    ZooFormatError
        If there is no such line, or a number is none that float32 can hold exactly.
    """
    matrix = map_matrix(path)
    if len(lines) and not 0 <= lines.min() <= lines.max() < len(matrix):
        raise ZooFormatError(f"{path} has {len(matrix)} rows, and none of number {int(lines.max())}")
    for line in lines:
        row = np.asarray(matrix[line])
        with np.errstate(over="ignore"):
            single = row.astype(np.float32)
        if not np.isfinite(row).all():
            raise WeightsNotFiniteError(f"{path}: row {line} holds numbers that are not finite")
        if not (np.isfinite(single).all() if rounded else np.array_equal(single, row)):
            raise ZooFormatError(f"{path}: row {line} holds numbers that float32 cannot hold exactly (see --round)")
        yield {place.name: single[place.begin : place.end].reshape(place.shape) for place in places}
