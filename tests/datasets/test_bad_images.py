"""Image files that are wrong: the error names file and row."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.hub_layout import draw, encoded, image_table, write_images
from wslbench.datasets import _parquet, load_dataset
from wslbench.errors import DatasetError

GOOD = draw(1, 3, 32, np.random.default_rng(0))


@pytest.fixture
def train_file(data_folder: Path) -> Path:
    return write_images(data_folder, "cifar10") / "plain_text" / "train-00000-of-00001.parquet"


def write(path: Path, images: list[bytes | None], labels: list[int | None] | None = None) -> None:
    table = image_table([encoded(GOOD)] * len(images), np.ones(len(images), dtype=np.int64), "img", "label")
    structs = pa.array([{"bytes": image, "path": None} for image in images], table.schema.field("img").type)
    table = table.set_column(0, "img", structs)
    if labels is not None:
        table = table.set_column(1, "label", pa.array(labels, pa.int64()))
    pq.write_table(table, path)


def bomb() -> bytes:
    """A PNG that announces 60,000 × 60,000 pixels in a hundred bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"GIF89a is no image", "not a PNG or JPEG"),
        (encoded(GOOD, "GIF"), "not a PNG or JPEG"),
        (encoded(GOOD, "TIFF"), "not a PNG or JPEG"),
        (encoded(GOOD)[:400], "not a PNG or JPEG image that can be decoded"),
        (encoded(GOOD, "JPEG")[:300], "not a PNG or JPEG image that can be decoded"),
        (b"", "not a PNG or JPEG"),
        (None, "no image"),
        (bomb(), "pixel"),
        (encoded(np.zeros((32, 33, 3), dtype=np.uint8)), "33 × 32 pixels instead of 32 × 32"),
        (encoded(GOOD[..., 0]), "colour mode L instead of RGB"),
        (encoded(np.zeros((32, 32, 4), dtype=np.uint8)), "colour mode RGBA instead of RGB"),
    ],
)
def test_a_bad_image_is_named_by_file_and_row(train_file: Path, bad: bytes | None, reason: str) -> None:
    write(train_file, [encoded(GOOD), encoded(GOOD), bad])
    with pytest.raises(DatasetError, match=rf"{train_file.name}, row 2 \(from 0\), column 'img': .*{reason}"):
        load_dataset("cifar10")


@pytest.mark.parametrize("bad", [10, -1, None, 2**62])
def test_a_bad_label_is_named_by_file_and_row(train_file: Path, bad: int | None) -> None:
    write(train_file, [encoded(GOOD)] * 1500, [0] * 1400 + [bad] + [0] * 99)
    with pytest.raises(DatasetError, match=rf"{train_file.name}, row 1400 \(from 0\): label {bad} is not a class"):
        load_dataset("cifar10")


def _rename(table: pa.Table) -> pa.Table:
    return table.rename_columns(["picture", "label"])


def _flat(table: pa.Table) -> pa.Table:
    return table.set_column(0, "img", pa.array([b"x"] * len(table), pa.binary()))


def _real_labels(table: pa.Table) -> pa.Table:
    return table.set_column(1, "label", table["label"].cast(pa.float64()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_rename, "has no column 'img', only picture, label"),
        (lambda table: table.drop_columns(["label"]), "has no column 'label', only img"),
        (_flat, "column 'img' is binary, not a struct"),
        (_real_labels, "column 'label' is double, not whole numbers"),
        (lambda table: table.slice(0, 0), "no rows"),
    ],
)
def test_wrong_columns_are_refused(train_file: Path, change: Callable[[pa.Table], pa.Table], reason: str) -> None:
    pq.write_table(change(pq.read_table(train_file)), train_file)
    with pytest.raises(DatasetError, match=rf"{train_file.name}.*{reason}"):
        load_dataset("cifar10")


def test_damaged_files_are_refused(train_file: Path) -> None:
    content = train_file.read_bytes()
    pixels = content.index(b"IDAT") + 50  # of the first image
    for damaged in (content[:-100], b"", b"PAR1", content[:pixels] + b"\xff" * 500 + content[pixels + 500 :]):
        train_file.write_bytes(damaged)
        with pytest.raises(DatasetError, match=train_file.name):
            load_dataset("cifar10")


def test_more_images_than_the_data_set_has_are_refused(train_file: Path) -> None:
    table = pq.read_table(train_file)
    indices = pa.array(np.zeros(50_001, dtype=np.int64))
    pq.write_table(table.take(indices), train_file)
    with pytest.raises(DatasetError, match=r"50,001 rows, but this part of cifar10 has 50,000 images"):
        load_dataset("cifar10")


@pytest.mark.parametrize("announced", [39, 41])
def test_a_footer_that_lies_about_the_rows_is_refused(
    train_file: Path, monkeypatch: pytest.MonkeyPatch, announced: int
) -> None:
    monkeypatch.setattr(_parquet, "rows", lambda path: announced if path == train_file else 20)
    with pytest.raises(DatasetError, match=f"{train_file.name}: its footer announces {announced} rows"):
        load_dataset("cifar10")


def test_a_folder_without_the_files_says_what_belongs_there(data_folder: Path) -> None:
    (data_folder / "tiny_imagenet").mkdir()
    with pytest.raises(DatasetError, match=r"does not hold train\*.parquet and val\*.parquet.*zh-plus/tiny-imagenet"):
        load_dataset("tiny_imagenet")
