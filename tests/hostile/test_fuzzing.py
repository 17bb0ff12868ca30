"""Readers meet bytes that nobody wrote: whatever they are, the answer is a value or a typed error."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.hostile.patience import patience
from wslbench.errors import TaskError, ZooError, ZooFormatError
from wslbench.foreign_text import has_control_characters, shown
from wslbench.interop.tensors import read_tensors
from wslbench.tasks import load_tasks
from wslbench.zoo.documents import read_card, read_manifest
from wslbench.zoo.shards import map_file
from wslbench.zoo.tables import PAIR_COLUMNS, read_table

BOUNDED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.integers(-8, 64) | st.sampled_from([2**31, 2**62, 2**63, 2**64, -(2**63)])
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F32", "F32", "F64", "I8"]),
        "shape": st.lists(NUMBERS, max_size=3),
        "data_offsets": st.lists(NUMBERS, min_size=1, max_size=3),
    }
)
HEADERS = st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), ENTRIES | JSON, max_size=3)


def test_a_hang_is_a_failure_that_shows_the_example() -> None:
    @settings(BOUNDED, database=None, phases=[Phase.generate])  # a smaller example would have to be waited for
    @given(content=st.just(b"endless"))
    def read(content: bytes) -> None:
        with patience(0.05), contextlib.suppress(ZooError):
            while content:
                with contextlib.suppress(Exception):  # as a reader does that takes every error for damage
                    signal.pause()

    with pytest.raises(pytest.fail.Exception, match=r"still reading after 0\.05 seconds") as failure:
        read()
    assert any("content=b'endless'" in note for note in failure.value.__notes__)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@BOUNDED
@given(header=HEADERS | JSON, data=st.binary(max_size=64), shift=st.integers(-2, 2))
def test_shard_headers(header: object, data: bytes, shift: int, tmp_path: Path) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "shard"
    path.write_bytes(max(len(text) + shift, 0).to_bytes(8, "little") + text + data)
    with patience(), contextlib.suppress(ZooError):
        tensors = map_file(path, "shard").tensors
        assert sum(tensor.nbytes for tensor in tensors.values()) <= len(data) + 2  # no byte of the file twice


@BOUNDED
@given(content=st.binary(max_size=200))
def test_bytes(content: bytes, tmp_path: Path) -> None:
    for name in ("shard", "manifest.json", "zoo.yaml", "tasks.yaml"):
        (tmp_path / name).write_bytes(content)
    for read in (
        lambda: map_file(tmp_path / "shard", "shard"),
        lambda: read_manifest(tmp_path),
        lambda: read_card(tmp_path),
        lambda: load_tasks(tmp_path / "tasks.yaml"),
    ):
        with patience(), pytest.raises((ZooError, TaskError)):
            read()


@pytest.fixture(scope="module")
def state_dicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound state dict in every kind of file, by suffix."""
    folder = tmp_path_factory.mktemp("state-dicts")
    tensors = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros(2, np.float32)}
    np.savez_compressed(folder / "net.npz", **tensors)
    torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, folder / "net.pt")
    save_file(tensors, folder / "net.safetensors")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors"])
@BOUNDED
@given(data=st.data())
def test_state_dicts_with_changed_bytes(
    suffix: str, data: st.DataObject, state_dicts: dict[str, bytes], tmp_path: Path
) -> None:
    content = bytearray(state_dicts[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    with patience(), contextlib.suppress(ZooFormatError):
        assert all(np.isfinite(tensor).all() for tensor in read_tensors(path).values())


@BOUNDED
@given(data=st.data())
def test_tables_with_changed_bytes(data: st.DataObject, built_tiny_zoo: Path, tmp_path: Path) -> None:
    content = bytearray((built_tiny_zoo / "pairs.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "pairs.parquet").write_bytes(content)
    with patience(), contextlib.suppress(ZooError):
        read_table(tmp_path / "pairs.parquet", PAIR_COLUMNS, "pairs")


@BOUNDED
@given(text=st.text(max_size=60))
def test_what_is_shown_has_no_control_characters(text: str) -> None:
    assert not has_control_characters(shown(text))


@BOUNDED
@given(data=st.data())
def test_manifests_with_a_changed_field(data: st.DataObject, built_tiny_zoo: Path, tmp_path: Path) -> None:
    manifest = json.loads((built_tiny_zoo / "manifest.json").read_text())
    place = manifest
    while True:  # walk to any field, and put anything there
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with patience(), contextlib.suppress(ZooError):
        read_manifest(tmp_path)


@BOUNDED
@given(cut=st.integers(0, 3000), junk=st.text(max_size=20))
def test_task_files_with_junk_in_them(cut: int, junk: str, tmp_path: Path) -> None:
    source = tmp_path / "source.yaml"
    if not source.exists():
        shutil.copy(Path(__file__).parents[2] / "tasks.yaml", source)
    text = source.read_text(encoding="utf-8")[:3000]
    path = tmp_path / "tasks.yaml"
    path.write_bytes((text[:cut] + junk + text[cut:]).encode("utf-8", "replace"))
    with patience(), contextlib.suppress(TaskError):
        load_tasks(path)
