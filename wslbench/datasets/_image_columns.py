"""Image and label columns of parquet files, decoded into arrays of pixels and labels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wslbench.datasets import _parquet
from wslbench.datasets._image_set import ImageSet
from wslbench.errors import DatasetError

FORMATS = ("PNG", "JPEG")  # all that the hub's image columns hold; Pillow's other parsers stay out of reach


def read(files: Sequence[Path], image_set: ImageSet, most: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Decode one part of a data set; record batches stream, so that memory stays near that of the result.

    Parameters
    ----------
    files
        The part's parquet files, in order.
    image_set
        What the files must hold.
    most
        Number of images in the whole part; a subset will do, more will not.

    Returns
    -------
    pixels, labels
        uint8 ``[n, channels, height, width]`` and int64 ``[n]``.

    Raises
    ------
    DatasetError
        If a file is damaged, an image is not one or has another size, or a label is no class; with file and row.
    """
    counts = [_parquet.rows(path) for path in files]
    total = sum(counts)
    names = ", ".join(str(path) for path in files)
    if total == 0:
        raise DatasetError(f"{names}: no rows: fetch it again")
    if total > most:
        raise DatasetError(
            f"{names}: {total:,} rows, but this part of {image_set.name} has {most:,} images: "
            "does the same file lie there twice?"
        )
    pixels = np.empty((total, *image_set.shape), dtype=np.uint8)
    labels = np.empty(total, dtype=np.int64)
    first = 0
    for path, count in zip(files, counts, strict=True):
        _read_file(path, image_set, pixels[first : first + count], labels[first : first + count])
        first += count
    return pixels, labels


def _read_file(path: Path, image_set: ImageSet, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    image_column, label_column = image_set.image_column, image_set.label_column
    with _parquet.opened(path) as file:
        _check_schema(path, file.schema_arrow, image_column, label_column)
        row = 0
        columns = [f"{image_column}.bytes", label_column]
        for batch in file.iter_batches(batch_size=_parquet.BATCH_ROWS, columns=columns):
            end = row + batch.num_rows
            if end > len(labels):
                raise _other_rows(path, len(labels))
            labels[row:end] = _labels(batch.column(label_column), image_set.classes, path, row)
            for index, encoded in enumerate(batch.column(image_column).field("bytes"), start=row):
                try:
                    pixels[index] = _decode(encoded.as_py(), image_set)
                except _BadImageError as error:
                    raise DatasetError(
                        f"{path}, row {index} (from 0), column {image_column!r}: {error}: "
                        f"fetch the file of {image_set.hub.repository} again"
                    ) from error
            row = end
    if row != len(labels):
        raise _other_rows(path, len(labels))


def _other_rows(path: Path, announced: int) -> DatasetError:
    return DatasetError(f"{path}: its footer announces {announced:,} rows, but it holds others: fetch it again")


def _check_schema(path: Path, schema: Any, image_column: str, label_column: str) -> None:
    import pyarrow

    _parquet.require_columns(path, schema, image_column, label_column)
    image, label = schema.field(image_column).type, schema.field(label_column).type
    fields = {image.field(i).name: image.field(i).type for i in range(image.num_fields)}
    encoded = fields.get("bytes") if pyarrow.types.is_struct(image) else None
    if encoded is None or not (pyarrow.types.is_binary(encoded) or pyarrow.types.is_large_binary(encoded)):
        raise DatasetError(
            f"{path}: column {image_column!r} is {image}, not a struct with the encoded image as `bytes`: "
            "is it in the hub's own layout?"
        )
    if not pyarrow.types.is_integer(label):
        raise DatasetError(f"{path}: column {label_column!r} is {label}, not whole numbers")


def _labels(column: Any, classes: int, path: Path, first: int) -> NDArray[np.int64]:
    values = column.to_pylist()
    for row, value in enumerate(values, start=first):
        if value is None or not 0 <= value < classes:
            raise DatasetError(f"{path}, row {row} (from 0): label {value} is not a class from 0 to {classes - 1}")
    return np.array(values, dtype=np.int64)


class _BadImageError(Exception):
    """Why one value of the image column is not an image of the data set."""


def _decode(encoded: bytes | None, image_set: ImageSet) -> NDArray[np.uint8]:
    from PIL import Image

    if encoded is None:
        raise _BadImageError("no image")
    channels, height, width = image_set.shape
    mode = "L" if channels == 1 else "RGB"
    try:
        image: Image.Image = Image.open(io.BytesIO(encoded), formats=FORMATS)
        # Only the header has been read so far: an image of a billion pixels ends here.
        if image.size != (width, height):
            raise _BadImageError(f"{image.width} × {image.height} pixels instead of {width} × {height}")
        if image.mode == "L" and image_set.grey_as_colour:
            image = image.convert(mode)
        if image.mode != mode:
            raise _BadImageError(f"colour mode {image.mode} instead of {mode}")
        array = np.asarray(image)
    except _BadImageError:
        raise
    except Exception as error:  # Pillow raises many kinds on bytes that are not an image
        reason = " ".join(str(error).split())[:120]
        raise _BadImageError(f"not a PNG or JPEG image that can be decoded ({reason})") from error
    return array[None] if channels == 1 else array.transpose(2, 0, 1)
