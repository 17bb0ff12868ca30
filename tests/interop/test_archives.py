"""Hostile archives: refused before they are unpacked, by their names."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from wslbench.errors import ZooFormatError
from wslbench.interop.tensors import read_tensors


def npy(array: np.ndarray, **header: object) -> bytes:
    """An array as a file, whose header may lie."""
    file = io.BytesIO()
    described = np.lib.format.header_data_from_array_1_0(array) | header
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue() + array.tobytes()


def zipped(path: Path, *members: tuple[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)


ONES = np.ones(3, np.float32)


def bomb(path: Path) -> None:
    zipped(path, ("weight.npy", npy(np.zeros(2**24, np.float32))))


def many_from_one(path: Path) -> None:
    """Central directory entries that all mean the same bytes."""
    zipped(path, ("a.npy", npy(np.random.default_rng(0).normal(size=2**12).astype(np.float32))))
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.infolist()[0]
        for number in range(9):
            again = zipfile.ZipInfo(f"b{number}.npy")
            for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(again, field, getattr(first, field))
            archive.filelist.append(again)
        archive._didModify = True


def twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(path, ("weight.npy", npy(ONES)), ("weight.npy", npy(ONES)))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (bomb, "unfolds from"),
        (many_from_one, "they overlap"),
        (twice, "two entries of one name"),
        (lambda path: zipped(path, ("../weight.npy", npy(ONES))), "leads out of"),
        (lambda path: zipped(path, ("/weight.npy", npy(ONES))), "leads out of"),
        (lambda path: zipped(path, ("\x1b[2J.npy", npy(ONES))), r"'\\x1b\[2J\.npy'"),
        (lambda path: zipped(path, ("readme.txt", b"")), "header of"),
        (lambda path: zipped(path, ("weight.npy", npy(ONES, shape=(2**40,)))), "is not as long as its header says"),
        (lambda path: zipped(path, ("weight.npy", npy(ONES, shape=(-3,)))), "impossible shape|not as long"),
        (lambda path: zipped(path, ("weight.npy", npy(ONES, descr="|O"))), "holds a pickle"),
        (lambda path: zipped(path, ("weight.npy", b"\x93NUMPY\x07\x00")), "unknown version|header of"),
        (lambda path: zipped(path, ("weight.npy", b"no array")), "header of"),
        (lambda path: zipped(path), "no floating-point tensor"),
        (lambda path: path.write_bytes(b"PK\x03\x04"), "no sound zip archive"),
    ],
)
def test_hostile_archives_are_refused_by_name(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    write(path := tmp_path / "net.npz")
    with pytest.raises(ZooFormatError, match=message) as caught:
        read_tensors(path)
    assert "net.npz" in str(caught.value)


def test_arrays_in_the_order_of_columns_are_read(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    np.savez_compressed(tmp_path / "net.npz", weight=array)
    assert np.array_equal(read_tensors(tmp_path / "net.npz")["weight"], array)


def test_torch_files_are_not_unpacked_from_less(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2**22)}, plain := tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(plain) as archive,
        zipfile.ZipFile(packed := tmp_path / "net.pt", "w", zipfile.ZIP_DEFLATED) as smaller,
    ):
        for name in archive.namelist():
            smaller.writestr(name, archive.read(name))
    with pytest.raises(ZooFormatError, match=r"is compressed, which torch\.save never does"):
        read_tensors(packed)


def test_one_number_does_not_become_many(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(2**20, 2**20)}, tmp_path / "net.pt")
    with pytest.raises(ZooFormatError, match="would unfold to more"):
        read_tensors(tmp_path / "net.pt")


def test_a_header_of_safetensors_is_not_parsed_at_any_length(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes((2**26).to_bytes(8, "little") + b" " * 2**26)
    with pytest.raises(ZooFormatError, match="announces a header of 67108864 bytes"):
        read_tensors(tmp_path / "net.safetensors")
