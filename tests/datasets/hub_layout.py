"""Small data sets in the layout of the hub's repositories, learnable, for tests that need one of each name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

# name -> (folder in the repository, test part's name, image column, label column, channels, side, classes)
LAYOUTS = {
    "mnist": ("mnist", "test", "image", "label", 1, 28, 10),
    "fashion_mnist": ("fashion_mnist", "test", "image", "label", 1, 28, 10),
    "cifar10": ("plain_text", "test", "img", "label", 3, 32, 10),
    "cifar100": ("cifar100", "test", "img", "fine_label", 3, 32, 100),
    "svhn": ("cropped_digits", "test", "image", "label", 3, 32, 10),
    "tiny_imagenet": ("data", "valid", "image", "label", 3, 64, 200),
}
SUBJECTS = ("the king", "a fool", "my lord", "the widow", "no man", "his ghost")
VERBS = ("loves", "fears", "hath slain", "forgets", "seeks", "mocks")


def write_images(
    folder: Path, name: str, train: int = 40, test: int = 20, classes: int | None = None, shards: int = 1, seed: int = 0
) -> Path:
    """Write ``<folder>/<name>/``, to be used with WSLBENCH_DATA set to ``folder``; returns that data set's folder.

    A class is a colour and a place of a bright square, under noise. Of data sets with many classes only the first
    ten occur unless ``classes`` says more, so that a few images are enough to learn them.
    """
    configuration, test_name, image_column, label_column, channels, side, all_classes = LAYOUTS[name]
    present = min(all_classes, 10) if classes is None else classes
    generator = np.random.default_rng([seed, len(name)])
    target = folder / name / configuration
    target.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), (test_name, test)):
        labels = np.arange(count) % present
        images = [draw(int(label), channels, side, generator) for label in labels]
        for shard, rows in enumerate(np.array_split(np.arange(count), shards)):
            table = image_table([images[row] for row in rows], labels[rows], image_column, label_column)
            if name == "cifar100":
                table = table.append_column("coarse_label", pa.array(labels[rows] % 20))
            pq.write_table(table, target / f"{part}-{shard:05d}-of-{shards:05d}.parquet", row_group_size=16)
    return folder / name


def draw(label: int, channels: int, side: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """One image ``[side, side]`` or ``[side, side, 3]`` of a class."""
    cell = side // 4
    row, column = divmod(label % 16, 4)
    pixels = np.zeros((side, side, channels))
    pixels += 40 + 120 * (np.arange(channels) == label % 3)
    pixels[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 230
    pixels += generator.normal(0, 15, pixels.shape)
    image = pixels.clip(0, 255).astype(np.uint8)
    return image[..., 0] if channels == 1 else image


def encoded(pixels: NDArray[np.uint8], image_format: str = "PNG") -> bytes:
    """The image as a file's bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format)
    return stream.getvalue()


def image_table(
    images: list[NDArray[np.uint8]] | list[bytes], labels: NDArray[np.int64], image_column: str, label_column: str
) -> pa.Table:
    """A table with the two columns; images are pixels, or the bytes that shall stand in their place."""
    structs = [{"bytes": image if isinstance(image, bytes) else encoded(image), "path": None} for image in images]
    column = pa.array(structs, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    return pa.table({image_column: column, label_column: pa.array(labels, pa.int64())})


def sentences(count: int, seed: int = 0) -> list[str]:
    """Sentences of a tiny language, in which the next characters can mostly be told from the last."""
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(SUBJECTS), (count, 3))
    return [f"{SUBJECTS[a].capitalize()} {VERBS[b]} {SUBJECTS[c]}.\n" for a, b, c in picks]


def write_text(folder: Path, name: str, documents: int = 400, seed: int = 0) -> Path:
    """Write ``<folder>/tiny_shakespeare/input.txt`` or ``<folder>/openwebtext/data/*.parquet``.

    A document is three numbered sentences, so that no two are the same; Tiny Shakespeare is all of them in a row.
    """
    lines = sentences(3 * documents, seed)
    texts = [f"{i}. " + "".join(lines[3 * i : 3 * i + 3]) for i in range(documents)]
    target = folder / name
    if name == "tiny_shakespeare":
        target.mkdir(parents=True, exist_ok=True)
        (target / "input.txt").write_text("".join(texts), encoding="utf-8", newline="")
    elif name == "openwebtext":
        (target / "data").mkdir(parents=True, exist_ok=True)
        half = documents // 2
        for shard, part in enumerate((texts[:half], texts[half:])):
            pq.write_table(pa.table({"text": part}), target / "data" / f"train-{shard:05d}-of-00002.parquet")
    else:
        raise ValueError(f"no text data set is called {name!r}")
    return target
