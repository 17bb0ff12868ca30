"""MNIST's own files: idx arrays of unsigned bytes, plain or in gzip."""

from __future__ import annotations

import gzip
import math
import zlib
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wslbench.datasets._image_set import ImageSet
from wslbench.errors import DatasetError

UNSIGNED_BYTE = 8  # the third byte of the magic number; the fourth is the number of dimensions

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def find(folder: Path, part: str) -> tuple[Path, Path] | None:
    """The files with the images and the labels of ``train`` or ``t10k``, or None where there are none.

    Both spellings that are in use are found, ``train-images-idx3-ubyte`` and ``train-images.idx3-ubyte``, with or
    without ``.gz``.
    """
    images = _one(folder, f"{part}-images", "idx3-ubyte")
    labels = _one(folder, f"{part}-labels", "idx1-ubyte")
    if images is None and labels is None:
        return None
    if images is None or labels is None:
        absent = "images-idx3-ubyte" if images is None else "labels-idx1-ubyte"
        raise DatasetError(f"{folder} has no {part}-{absent} (or .gz): fetch it too")
    return images, labels


def read(images: Path, labels: Path, image_set: ImageSet, most: int) -> Part:
    """Pixels uint8 ``[n, 1, height, width]`` and labels int64 ``[n]`` of one part, at most ``most`` images.

    Raises
    ------
    DatasetError
        If a file is not an idx file, is too short or too long, or the two do not belong together.
    """
    _, height, width = image_set.shape
    pixels = _array(images, (height, width), most)
    values = _array(labels, (), most)
    if len(pixels) != len(values):
        raise DatasetError(f"{images} has {len(pixels):,} images, but {labels} has {len(values):,} labels")
    bad = np.flatnonzero(values >= image_set.classes)
    if bad.size:
        raise DatasetError(
            f"{labels}, row {bad[0]} (from 0): label {values[bad[0]]} is not a class from 0 to {image_set.classes - 1}"
        )
    return pixels[:, None], values.astype(np.int64)


def _one(folder: Path, stem: str, ending: str) -> Path | None:
    names = [f"{stem}{join}{ending}{gz}" for join in "-." for gz in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _array(path: Path, shape: tuple[int, ...], most: int) -> NDArray[np.uint8]:
    try:
        with _open(path) as file:
            header = file.read(4 * (2 + len(shape)))
            count = _count(path, header, shape, most)
            size = count * math.prod(shape)
            content = file.read(size + 1)  # one more than there may be: enough to see that it is too long
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read, it may be cut off ({error}): fetch it again") from error
    if len(content) != size:
        much = "less" if len(content) < size else "more"
        raise DatasetError(f"{path} has {much} than the {size:,} bytes that its header announces: fetch it again")
    return np.frombuffer(bytearray(content), dtype=np.uint8).reshape(count, *shape)


def _open(path: Path) -> AbstractContextManager[gzip.GzipFile | BufferedReader]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _count(path: Path, header: bytes, shape: tuple[int, ...], most: int) -> int:
    magic = bytes([0, 0, UNSIGNED_BYTE, 1 + len(shape)])
    if header[:4] != magic or len(header) < 4 * (2 + len(shape)):
        raise DatasetError(
            f"{path} does not start as an idx file of {1 + len(shape)} dimensions of bytes does "
            f"({magic.hex()}, not {header[:4].hex() or 'nothing'}): is it the right file?"
        )
    count, *dimensions = (int.from_bytes(header[i : i + 4], "big") for i in range(4, len(header), 4))
    if tuple(dimensions) != shape or not 1 <= count <= most:
        raise DatasetError(
            f"{path} announces {' × '.join(map(str, (count, *dimensions)))} values; "
            f"there should be {' × '.join((f'1 to {most}', *map(str, shape)))}"
        )
    return count
