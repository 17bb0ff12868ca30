"""Files of torch, mapped without it, against torch's own reading; and what is not plain is left to torch."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wslbench.architectures import Architecture
from wslbench.errors import ZooFormatError
from wslbench.interop.archives import open_archive
from wslbench.interop.tensors import read_checkpoint
from wslbench.interop.torch_mapping import NotPlainError, map_state

TIED = torch.arange(6, dtype=torch.float32)
PLAIN = {
    "resnet": Architecture(builder="resnet18", arguments={"width": 2}).module().state_dict(),
    "mlp": Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [4], "out_features": 2})
    .module()
    .state_dict(),
    "of every kind": {
        "double": torch.tensor([1.5, 2.5], dtype=torch.float64),
        "half": torch.tensor([[1.5], [2.5]], dtype=torch.float16),
        "counter": torch.tensor(70_000),
        "mask": torch.tensor([True, False]),
        "bytes": torch.tensor([1, 200], dtype=torch.uint8),
        "scalar": torch.tensor(0.5),
        "tied": TIED,
        "part of tied": TIED[2:5],
        "größe": torch.zeros(1, 3, 1),
        **{f"layer{number}.weight": torch.full((2, 1), float(number)) for number in range(300)},
    },
    "parameters": {"weight": nn.Parameter(torch.ones(2, 2))},
    "ordered": OrderedDict(weight=torch.ones(2)),
}
NOT_PLAIN = {
    "bfloat16": {"weight": torch.ones(2, dtype=torch.bfloat16)},
    "transposed": {"weight": torch.arange(6.0).reshape(2, 3).T},
    "channels last": {"weight": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)},
}


@pytest.mark.parametrize("case", PLAIN)
def test_every_tensor_is_as_torch_reads_it(case: str, tmp_path: Path) -> None:
    torch.save(PLAIN[case], path := tmp_path / "checkpoints")
    found = map_state(path, members(path))
    expected = torch.load(path, weights_only=True)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.detach().numpy().dtype
        assert np.array_equal(found[name], tensor.detach().numpy())
        assert not found[name].flags.writeable


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_torch(case: str, tmp_path: Path) -> None:
    torch.save(NOT_PLAIN[case], path := tmp_path / "checkpoints")
    with pytest.raises(NotPlainError):
        map_state(path, members(path))
    assert np.array_equal(read_checkpoint(path)["weight"], NOT_PLAIN[case]["weight"].float().numpy())


def members(path: Path) -> list[zipfile.ZipInfo]:
    with open_archive(path, stored=True) as archive:
        return archive.infolist()


def test_files_from_before_archives_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """They are one pickle after the other, which cannot be looked through before it is loaded."""
    torch.save({"weight": torch.ones(3)}, path := tmp_path / "checkpoints", _use_new_zipfile_serialization=False)
    with pytest.raises(ZooFormatError, match="load it and save it again"):
        read_checkpoint(path)


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def rewritten(path: Path, change: Callable[[bytes], bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A torch file with another pickle inside."""
    torch.save({"weight": torch.ones(4)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, change(content) if name.endswith("data.pkl") else content)
    return path


def test_a_pickle_in_the_archive_is_not_executed(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "checkpoints", lambda code: pickle.dumps({"weight": Payload(tmp_path / "executed")}, 2))
    with pytest.raises(ZooFormatError, match="not executed"):
        read_checkpoint(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x04\x85", b"K\x05\x85"),  # more numbers than the storage has
        (b"K\x00K\x04\x85", b"K\x01K\x04\x85"),  # beyond its end
        (b"FloatStorage\n", b"Float8Storage\n"),
        (b"torch FloatStorage", b"builtins print"),
        (b"storage", b"tomatoe"),
        (b".", b""),
    ],
)
def test_a_pickle_that_lies_is_refused(old: bytes, new: bytes, tmp_path: Path) -> None:
    if old.startswith(b"torch "):
        old, new = old.replace(b" ", b"\n"), new.replace(b" ", b"\n")
    path = rewritten(tmp_path / "checkpoints", lambda code: code.replace(old, new))
    with pytest.raises(NotPlainError):
        map_state(path, members(path))
    with pytest.raises(ZooFormatError):
        read_checkpoint(path)


def test_every_pickle_that_is_cut_off_is_not_plain(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(4)}, path := tmp_path / "checkpoints")
    with zipfile.ZipFile(path) as archive:
        code = archive.read("checkpoints/data.pkl")
    for length in range(len(code)):
        cut = rewritten(tmp_path / "cut", lambda _, length=length: code[:length])
        with pytest.raises(NotPlainError):
            map_state(cut, members(cut))
