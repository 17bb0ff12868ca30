"""From documents to tokens: bytes, or GPT-2's byte-pair encoding."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wslbench.datasets._array_cache import file_key
from wslbench.datasets._hub import HubFiles
from wslbench.errors import DatasetError

SEPARATOR = "<|endoftext|>"


class Tokens(Protocol):
    """An encoding of text."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens that there are."""
        ...

    @property
    def dtype(self) -> type[np.uint16] | type[np.uint32]:
        """The type of its arrays."""
        ...

    @property
    def key(self) -> str:
        """What tells it from other encodings."""
        ...

    def encode(self, documents: Sequence[str]) -> Iterator[NDArray[Any]]:
        """The tokens of each document, with the separator at the end."""
        ...


class ByteTokens:
    """A token a UTF-8 byte, and one that ends a document."""

    vocabulary = 257
    dtype = np.uint16
    key = "bytes"

    def encode(self, documents: Sequence[str]) -> Iterator[NDArray[Any]]:
        """The bytes of each document, then 256."""
        for document in documents:
            content = np.frombuffer(document.encode(), dtype=np.uint8)
            yield np.append(content.astype(np.uint16), np.uint16(256))


class Gpt2Tokens:
    """GPT-2's tokens (Radford et al. 2019), by the package ``tokenizers``.

    Parameters
    ----------
    folder
        The data set's folder, whose ``tokenizer.json`` is used if there is one; None or without one: the hub's.
    data_set
        The data set's name, for messages.

    Raises
    ------
    DatasetError
        If the package or the file is not there, or the file is not a tokenizer with ``<|endoftext|>``.
    """

    def __init__(self, folder: Path | None, data_set: str) -> None:
        try:
            tokenizers: Any = importlib.import_module("tokenizers")
        except ImportError as error:
            raise DatasetError(
                f"data set {data_set!r} with tokens='gpt2' needs the package tokenizers: "
                "`pip install tokenizers`, or use tokens='bytes'"
            ) from error
        path = self._file(folder, data_set)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception
            raise DatasetError(f"{path} is not a tokenizer that `tokenizers` can read ({error})") from error
        separator = self._tokenizer.token_to_id(SEPARATOR)
        if separator is None:
            raise DatasetError(f"{path} has no token {SEPARATOR}: it is not GPT-2's tokenizer")
        self._separator = int(separator)
        self.vocabulary = int(self._tokenizer.get_vocab_size())
        self.dtype: type[np.uint16] | type[np.uint32] = np.uint16 if self.vocabulary <= 1 << 16 else np.uint32
        self.key = "gpt2 " + file_key(path)

    def encode(self, documents: Sequence[str]) -> Iterator[NDArray[Any]]:
        """The tokens of each document, then that of ``<|endoftext|>``."""
        for encoding in self._tokenizer.encode_batch(list(documents), add_special_tokens=False):
            yield np.array([*encoding.ids, self._separator], dtype=self.dtype)

    @staticmethod
    def _file(folder: Path | None, data_set: str) -> Path:
        if folder is not None and (folder / "tokenizer.json").is_file():
            return folder / "tokenizer.json"
        hub = HubFiles(data_set, "openai-community/gpt2", ("tokenizer.json",), "tokenizer.json", kind="model")
        return hub.fetch("tokenizer.json")
