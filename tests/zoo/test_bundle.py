"""Bundles: the same models on the other side, and nothing else."""

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from tests.zoos import CELLS, NAME
from wslbench.architectures import Architecture
from wslbench.errors import ZooDamagedError
from wslbench.zoo import Models, Source, load_zoo, read_bundle, write_bundle


@pytest.fixture
def file() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as opened:
        yield opened


@pytest.fixture
def models(built_tiny_zoo: Path) -> Models:
    return load_zoo(built_tiny_zoo).models()[np.random.default_rng(3).permutation(60)[:17]]


def sent(models: Models, file: BinaryIO, ids: list[str]) -> Models:
    write_bundle(models, file, ids)
    file.flush()
    return read_bundle(file.fileno())


def test_models_arrive_in_order_with_new_ids_and_equal_weights(models: Models, file: BinaryIO) -> None:
    ids = [f"m{number}" for number in range(17)]
    arrived = sent(models, file, ids)
    assert arrived.ids.tolist() == ids
    for before, after in zip(models, arrived, strict=True):
        assert before.architecture == after.architecture
        assert before.tensors().keys() == after.tensors().keys()
        for name, tensor in before.tensors().items():
            np.testing.assert_array_equal(after.tensors()[name], tensor)


def test_a_bundle_survives_its_descriptor_and_any_selection(models: Models) -> None:
    descriptor, name = tempfile.mkstemp()
    Path(name).unlink()
    with os.fdopen(descriptor, "wb") as opened:
        write_bundle(models, opened, list(models.ids))
        opened.flush()
        arrived = read_bundle(opened.fileno())
    stack = arrived[5:].by_architecture()[0]
    assert np.isfinite(stack["fc.weight"]).all()


def test_whole_stacks_of_a_bundle_are_views(models: Models, file: BinaryIO) -> None:
    arrived = sent(models, file, list(models.ids))
    for first, second in zip(arrived.by_architecture(), arrived.by_architecture(), strict=True):
        assert np.shares_memory(first["fc.weight"], second["fc.weight"])


def test_no_models_make_a_bundle_too(models: Models, file: BinaryIO) -> None:
    assert len(sent(models[:0], file, [])) == 0


def test_a_bundle_tells_no_id_cell_epoch_or_zoo(models: Models, file: BinaryIO) -> None:
    sent(models, file, [f"m{number}" for number in range(17)])
    file.seek(0)
    header = file.read(int.from_bytes(file.read(8), "little")).decode()
    for secret in [NAME, "epoch", "learning_rate", "phase", *CELLS, *models.ids]:
        assert secret not in header


def test_a_bundle_is_written_in_blocks(file: BinaryIO) -> None:
    stack = np.zeros((5000, 2**12), np.float32)  # 80 MB
    source = Source("a", Architecture(builder="cnn"), lambda: {"w": stack})
    ids = [f"{number:016x}" for number in range(len(stack))]
    models = Models(np.array(ids, object), [source], np.zeros(len(ids), np.intp), np.arange(len(ids)))[::-1]
    tracemalloc.start()
    write_bundle(models, file, ids)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file.flush()
    assert peak < 40e6
    assert len(read_bundle(file.fileno())) == 5000


def test_a_bundle_may_hold_more_models_than_a_zoos_header_could_name(file: BinaryIO) -> None:
    count = 250_000
    source = Source("a", Architecture(builder="cnn"), lambda: {"w": np.zeros((count, 1), np.float32)})
    ids = [f"{number:016x}" for number in range(count)]
    write_bundle(Models(np.array(ids, object), [source], np.zeros(count, np.intp), np.arange(count)), file, ids)
    file.flush()
    assert read_bundle(file.fileno()).ids.tolist() == ids


@pytest.mark.parametrize("ids", [["a"], ["a"] * 17])
def test_ids_must_be_one_a_model_and_different(models: Models, file: BinaryIO, ids: list[str]) -> None:
    with pytest.raises(ValueError, match="17 models need as many different ids"):
        write_bundle(models, file, ids)


def changed(content: bytes, **changes: object) -> bytes:
    """A bundle with changes to the table of contents in its header."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    contents = json.loads(header["__metadata__"]["contents"])
    contents.update(changes)
    header["__metadata__"]["contents"] = json.dumps(contents)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": ["a"]},
        {"ids": 5},
        {"stacks": []},
        {"stacks": [{"name": "w", "architecture": {"builder": "cnn"}, "positions": [-1]}]},
        {"stacks": [{"name": "w", "architecture": {"builder": "cnn"}, "positions": [0, 0, 1]}]},
        {"more": 1},
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(
    models: Models, file: BinaryIO, changes: dict[str, object]
) -> None:
    write_bundle(models, file, list(models.ids))
    file.seek(0)
    content = changed(file.read(), **changes)
    file.seek(0)
    file.truncate()
    file.write(content)
    file.flush()
    with pytest.raises(ZooDamagedError, match="bundle"):
        read_bundle(file.fileno())


def test_a_file_that_is_no_bundle_is_refused(file: BinaryIO) -> None:
    file.write(b"\x02" + bytes(7) + b"{}")
    file.flush()
    with pytest.raises(ZooDamagedError, match="table of contents"):
        read_bundle(file.fileno())
