"""Tiny Shakespeare: 1.1 million characters of the plays, a token a character (Karpathy, char-rnn)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wslbench.datasets._dataset import TextDataset
from wslbench.datasets._documents import documents
from wslbench.datasets._hub import HubFiles
from wslbench.datasets._places import local_folder
from wslbench.datasets._shards import split_files
from wslbench.errors import DatasetError

NAME = "tiny_shakespeare"
# Three parts that, one after another, are the text of input.txt. The commit that has them as parquet; the main
# branch of the repository has a script that downloads the text from elsewhere.
HUB = HubFiles(
    NAME,
    "karpathy/tiny_shakespeare",
    tuple(f"data/{part}-00000-of-00001.parquet" for part in ("train", "validation", "test")),
    "data/*.parquet",
    revision="fe12e06d82fe3af4291b90426557387520d81385",
)
TRAIN_SHARE = (9, 10)
FEWEST = 100  # characters: with fewer the test part is nothing to measure on


def load() -> TextDataset:
    """The first nine tenths to train on, the last to test; the vocabulary is the sorted set of all characters.

    Raises
    ------
    DatasetError
        If the text is not there or too short.
    """
    files = _files()
    characters = np.frombuffer("".join(documents(files)).encode("utf-32-le"), dtype=np.uint32)
    if len(characters) < FEWEST:
        raise DatasetError(f"{files[0]}: {len(characters)} characters are too few for a train and a test part")
    alphabet, indices = np.unique(characters, return_inverse=True)
    tokens = indices.astype(np.uint16) if len(alphabet) <= 1 << 16 else indices.astype(np.uint32)
    cut = len(tokens) * TRAIN_SHARE[0] // TRAIN_SHARE[1]
    return TextDataset(NAME, tokens[:cut], tokens[cut:], vocabulary=len(alphabet))


def _files() -> list[Path]:
    folder = local_folder(NAME)
    if folder is None:
        return [HUB.fetch(file) for file in HUB.files]
    if (folder / "input.txt").is_file():
        return [folder / "input.txt"]
    parts = [split_files(folder, "data", prefix) for prefix in ("train", "val", "test")]
    if not all(parts):
        raise DatasetError(
            f"data set {NAME!r}: {folder} holds neither input.txt nor train*, validation* and test*.parquet. To get "
            f"them, {HUB.how_to_get_them}; or put char-rnn's data/tinyshakespeare/input.txt there"
        )
    return [path for part in parts for path in part]
