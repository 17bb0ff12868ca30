"""OpenWebText (Gokaslan & Cohen 2019): web pages, as bytes or as GPT-2's tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from wslbench.datasets._array_cache import Arrays, cached_arrays, file_key
from wslbench.datasets._dataset import TextDataset
from wslbench.datasets._documents import documents
from wslbench.datasets._hub import HubFiles
from wslbench.datasets._places import files_below, local_folder
from wslbench.datasets._tokens import ByteTokens, Gpt2Tokens, Tokens
from wslbench.errors import DatasetError

NAME = "openwebtext"
# 8 million documents, 24 GB; the commit that has them as parquet.
HUB = HubFiles(
    NAME,
    "Skylion007/openwebtext",
    tuple(f"data/train-{shard:05d}-of-00080.parquet" for shard in range(80)),
    "data/train-0000*.parquet",
    revision="7577b918bd30b25df0b88bb718dc8a6c80cb619b",
)
TEST_IN = 50  # one document in so many is a test document
BATCH_CHARACTERS = 1 << 22  # handed to the tokenizer at once


def load(tokens: str = "bytes", limit_bytes: int | None = None) -> TextDataset:
    """Whole documents in the files' order, each followed by a separator token.

    Whether a document is for training or for testing depends on its text alone: a higher limit only adds
    documents, and copies of a document stand on one side.

    Parameters
    ----------
    tokens
        ``bytes``: the UTF-8 bytes and a separator, 257 tokens. ``gpt2``: GPT-2's byte-pair encoding, 50,257 tokens,
        by the package ``tokenizers`` and the ``tokenizer.json`` in the data set's folder or on the hub.
    limit_bytes
        Take documents as long as their UTF-8 bytes together do not pass this. From the hub, only the files that
        this needs are fetched. None: all there is; from the hub that is 24 GB to fetch and 40 GB of text.

    Raises
    ------
    DatasetError
        If an argument is none of these, the files or ``tokenizers`` are not there, or one part would be empty.
    """
    if tokens not in ("bytes", "gpt2"):
        raise DatasetError(f"data set {NAME!r}: tokens is 'bytes' or 'gpt2', not {tokens!r}")
    if limit_bytes is not None and (isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int)):
        raise DatasetError(f"data set {NAME!r}: limit_bytes is a whole number of bytes, not {limit_bytes!r}")
    if limit_bytes is not None and limit_bytes < 1:
        raise DatasetError(f"data set {NAME!r}: limit_bytes is at least 1, not {limit_bytes}")
    folder = local_folder(NAME)
    encoder: Tokens = ByteTokens() if tokens == "bytes" else Gpt2Tokens(folder, NAME)
    files, key = _files(folder)
    arrays = cached_arrays(NAME, [encoder.key, limit_bytes, *key], lambda: _encode(files, encoder, limit_bytes))
    return TextDataset(NAME, arrays["train_tokens"], arrays["test_tokens"], encoder.vocabulary)


def is_test(document: bytes) -> bool:
    """Whether a document belongs to the test part: by the hash of its UTF-8 bytes."""
    return int.from_bytes(hashlib.blake2b(document, digest_size=8).digest(), "big") % TEST_IN == 0


def _files(folder: Path | None) -> tuple[Iterable[Path], list[str]]:
    if folder is None:
        # Fetched one by one, as the documents are asked for; a commit's files never change.
        return (HUB.fetch(file) for file in HUB.files), [HUB.repository, HUB.revision, *HUB.files]
    files = files_below(folder, (".parquet", ".txt"))
    if not files:
        raise DatasetError(
            f"data set {NAME!r}: {folder} holds neither .parquet (column 'text') nor .txt files. To get some, "
            f"{HUB.how_to_get_them}"
        )
    return files, [file_key(path) for path in files]


def _encode(files: Iterable[Path], encoder: Tokens, limit_bytes: int | None) -> Arrays:
    train, test = bytearray(), bytearray()  # of tokens: they grow without a copy of everything at the end
    for batch in _batches(files, limit_bytes):
        for document, tokens in zip(batch, encoder.encode(batch), strict=True):
            part = test if is_test(document.encode()) else train
            part += tokens.tobytes()
    for name, part in (("train", train), ("test", test)):
        if not part:
            limited = "" if limit_bytes is None else f", limit_bytes is {limit_bytes}"
            raise DatasetError(
                f"data set {NAME!r}: no document for the {name} part "
                f"(one in {TEST_IN} is a test document{limited}): give it more text"
            )
    return {"train_tokens": np.frombuffer(train, encoder.dtype), "test_tokens": np.frombuffer(test, encoder.dtype)}


def _batches(files: Iterable[Path], limit_bytes: int | None) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = taken = 0
    for document in documents(files):
        taken += len(document.encode())
        if limit_bytes is not None and taken > limit_bytes:
            break
        batch.append(document)
        characters += len(document)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
