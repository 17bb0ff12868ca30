"""Tiny Shakespeare and OpenWebText."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.hub_layout import write_text
from wslbench.datasets import TextDataset, load_dataset
from wslbench.errors import DatasetError


def load(name: str, **arguments: object) -> TextDataset:
    data = load_dataset(name, **arguments)
    assert isinstance(data, TextDataset)
    return data


def split_documents(tokens: np.ndarray) -> list[str]:
    """The documents behind byte tokens."""
    assert tokens[-1] == 256
    ends = np.flatnonzero(tokens == 256)
    starts = [0, *(ends[:-1] + 1)]
    return [bytes(tokens[a:b].astype(np.uint8)).decode() for a, b in zip(starts, ends, strict=True)]


def test_tiny_shakespeare_is_characters_nine_tenths_to_train(data_folder: Path) -> None:
    text = "To be, or not to be: τò εἶναι\r\n" * 20
    (data_folder / "tiny_shakespeare").mkdir()
    (data_folder / "tiny_shakespeare" / "input.txt").write_text(text, encoding="utf-8", newline="")
    data = load("tiny_shakespeare")
    alphabet = sorted(set(text))
    assert data.vocabulary == len(alphabet)
    assert data.train_tokens.dtype == np.uint16
    tokens = [*data.train_tokens, *data.test_tokens]
    assert "".join(alphabet[token] for token in tokens) == text
    assert len(data.train_tokens) == len(text) * 9 // 10


def test_tiny_shakespeare_is_the_same_from_the_hubs_parquet(data_folder: Path) -> None:
    folder = write_text(data_folder, "tiny_shakespeare")
    expected = load("tiny_shakespeare")
    text = (folder / "input.txt").read_text(encoding="utf-8")
    (folder / "input.txt").unlink()
    (folder / "data").mkdir()
    cuts = {"train": (0, 1000), "validation": (1000, 1300), "test": (1300, len(text))}
    for part, (first, last) in cuts.items():
        pq.write_table(pa.table({"text": [text[first:last]]}), folder / "data" / f"{part}-00000-of-00001.parquet")
    from wslbench.datasets import _registry

    _registry._load.cache_clear()
    data = load("tiny_shakespeare")
    np.testing.assert_array_equal(data.train_tokens, expected.train_tokens)
    np.testing.assert_array_equal(data.test_tokens, expected.test_tokens)


def test_tiny_shakespeare_that_is_not_text_or_too_short_is_refused(data_folder: Path) -> None:
    folder = data_folder / "tiny_shakespeare"
    folder.mkdir()
    with pytest.raises(DatasetError, match=r"holds neither input.txt nor train.*karpathy/tiny_shakespeare"):
        load("tiny_shakespeare")
    (folder / "input.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"input.txt cannot be read as UTF-8 text"):
        load("tiny_shakespeare")
    (folder / "input.txt").write_text("short")
    with pytest.raises(DatasetError, match=r"input.txt: 5 characters are too few"):
        load("tiny_shakespeare")


def test_openwebtext_as_bytes_holds_every_document_once(data_folder: Path) -> None:
    folder = write_text(data_folder, "openwebtext")
    data = load("openwebtext")
    assert data.vocabulary == 257
    assert data.train_tokens.dtype == np.uint16
    written = [text for path in sorted((folder / "data").iterdir()) for text in pq.read_table(path)["text"].to_pylist()]
    train, test = split_documents(data.train_tokens), split_documents(data.test_tokens)
    assert sorted(train + test) == sorted(written)
    assert train == [text for text in written if text in set(train)]
    assert 1 <= len(test) <= 20  # 400 / 50 = 8 are expected


def test_a_limit_takes_the_first_documents_and_leaves_their_parts_alone(data_folder: Path) -> None:
    write_text(data_folder, "openwebtext")
    whole, limited = load("openwebtext"), load("openwebtext", limit_bytes=20_000)
    n, m = len(limited.train_tokens), len(limited.test_tokens)
    np.testing.assert_array_equal(limited.train_tokens, whole.train_tokens[:n])
    np.testing.assert_array_equal(limited.test_tokens, whole.test_tokens[:m])
    separators = (limited.train_tokens == 256).sum() + (limited.test_tokens == 256).sum()
    longest = max(map(len, split_documents(whole.train_tokens)))
    assert 20_000 - longest <= n + m - separators <= 20_000


def test_copies_of_a_document_stand_on_one_side(data_folder: Path) -> None:
    folder = data_folder / "openwebtext"
    folder.mkdir()
    texts = [f"page {i % 150} of the web" for i in range(600)]
    pq.write_table(pa.table({"text": texts}), folder / "some.parquet")
    data = load("openwebtext")
    train, test = split_documents(data.train_tokens), split_documents(data.test_tokens)
    assert not set(train) & set(test)
    assert len(train) + len(test) == 600


def test_text_files_are_split_at_the_end_of_text_mark(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wslbench.datasets import _documents

    monkeypatch.setattr(_documents, "CHUNK", 7)  # marks fall across chunks
    folder = data_folder / "openwebtext"
    folder.mkdir()
    texts = [f"page {i} é" for i in range(200)]
    (folder / "a.txt").write_text("<|endoftext|>".join(texts[:150]), encoding="utf-8")
    (folder / "b.txt").write_text("<|endoftext|>".join(["", *texts[150:], ""]), encoding="utf-8")
    data = load("openwebtext")
    assert sorted(split_documents(data.train_tokens) + split_documents(data.test_tokens)) == sorted(texts)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"tokens": "words"}, "tokens is 'bytes' or 'gpt2', not 'words'"),
        ({"limit_bytes": 0}, "limit_bytes is at least 1"),
        ({"limit_bytes": 1.5}, "limit_bytes is a whole number"),
        ({"limit_bytes": "1GB"}, "limit_bytes is a whole number"),
        ({"limit_bytes": 10}, "no document for the train part"),
    ],
)
def test_bad_arguments_are_refused(data_folder: Path, arguments: dict[str, object], reason: str) -> None:
    write_text(data_folder, "openwebtext")
    with pytest.raises(DatasetError, match=reason):
        load("openwebtext", **arguments)


def test_a_corpus_without_text_is_refused(data_folder: Path) -> None:
    folder = data_folder / "openwebtext"
    folder.mkdir()
    with pytest.raises(DatasetError, match=r"neither .parquet \(column 'text'\) nor .txt.*Skylion007/openwebtext"):
        load("openwebtext")
    pq.write_table(pa.table({"content": ["x"]}), folder / "a.parquet")
    with pytest.raises(DatasetError, match=r"a.parquet has no column 'text', only content"):
        load("openwebtext")
    pq.write_table(pa.table({"text": [1]}), folder / "a.parquet")
    with pytest.raises(DatasetError, match="column 'text' is int64, not text"):
        load("openwebtext")
    pq.write_table(pa.table({"text": ["x", None]}), folder / "a.parquet")
    with pytest.raises(DatasetError, match=r"a.parquet, row 1 \(from 0\): no text"):
        load("openwebtext")
    (folder / "a.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DatasetError, match="cannot be read as parquet"):
        load("openwebtext")


def test_gpt2_tokens_without_the_package_say_what_to_install(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(data_folder, "openwebtext")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DatasetError, match="needs the package tokenizers: `pip install tokenizers`"):
        load("openwebtext", tokens="gpt2")


def test_gpt2_tokens_are_those_of_the_tokenizer_in_the_folder(data_folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    folder = write_text(data_folder, "openwebtext", documents=300)
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    corpus = [text for path in sorted((folder / "data").iterdir()) for text in pq.read_table(path)["text"].to_pylist()]
    tokenizer.train_from_iterator(corpus, vocab_size=400, special_tokens=["<|endoftext|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    data = load("openwebtext", tokens="gpt2")
    assert data.vocabulary == tokenizer.get_vocab_size()
    end = tokenizer.token_to_id("<|endoftext|>")
    first = data.train_tokens[: int(np.flatnonzero(data.train_tokens == end)[0])]
    assert tokenizer.decode(first.tolist()) == corpus[0]
    assert (data.train_tokens == end).sum() + (data.test_tokens == end).sum() == 300
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"tokenizer.json is not a tokenizer"):
        load("openwebtext", tokens="gpt2", limit_bytes=30_000)
