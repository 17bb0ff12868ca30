"""Building blocks of hostile files: archives, headers and footers whose every byte is chosen."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wslbench.zoo.hashing import combine_annotations, hash_json, hash_shards, hash_tensors
from wslbench.zoo.schema import Manifest, ZooCard

MEGABYTE = 2**20
ESCAPE = "\x1b[2J\x1b]0;owned\x07"  # clears the screen and names the window
REVERSED = "\u202egnp.exe"  # shows backwards


class Payload:
    """When unpickled, leaves a file beside the folder with the hostile file."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder.parent / "executed"

    def __reduce__(self) -> tuple[object, ...]:
        return eval, (f"__import__('pathlib').Path({str(self.mark)!r}).touch()",)


def zeros(megabytes: int) -> bytes:
    """A deflate stream of so many megabytes of zeros, written in no time: the same flushed block, again and again."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = press.compress(bytes(MEGABYTE)) + press.flush(zlib.Z_FULL_FLUSH)
    return block * megabytes + press.flush()


def raw_zip(path: Path, entries: list[tuple[str, bytes, int]], shared: bool = False) -> None:
    """An archive of deflated entries: name, stream, and the size that is announced; ``shared``: all of the first's."""
    directory = b""
    with path.open("wb") as file:
        for number, (name, stream, announced) in enumerate(entries):
            text = name.encode()
            head = struct.pack("<5H3I2H", 20, 0, 8, 0, 33, 0, len(stream), announced, len(text), 0)
            place = 0 if shared and number else file.tell()
            if not (shared and number):
                file.write(b"PK\x03\x04" + head + text + stream)
            directory += b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<3H2I", 0, 0, 0, 0, place) + text
        start = file.tell()
        file.write(directory)
        count = len(entries)
        file.write(b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, count, count, len(directory), start, 0))


def torch_file(path: Path, content: bytes, records: Mapping[str, bytes] | None = None, compression: int = 0) -> None:
    """A file as ``torch.save`` lays it out, around any pickle."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("net/data.pkl", content)
        archive.writestr("net/byteorder", "little")
        for name, data in (records or {"0": bytes(48)}).items():
            archive.writestr(f"net/data/{name}", data)
        archive.writestr("net/version", "3\n")


def tensor_pickle(
    size: str = "K\x03K\x04", stride: str = "K\x04K\x01", numel: str = "K\x0c", key: str = "X\1\0\0\0w"
) -> bytes:
    """The pickle of a state dict of one 3 x 4 tensor, as ``torch.save`` writes it, or with other operands."""
    text = (
        "\x80\x02}" + key + "ctorch._utils\n_rebuild_tensor_v2\n"
        "((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + "0X\x03\0\0\0cpu" + numel + "tQK\x00"
        + size + "\x86" + stride + "\x86\x89ccollections\nOrderedDict\n)RtRs."
    )  # fmt: skip
    return text.encode("latin-1")


def global_pickle(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls something."""
    return f"\x80\x02}}X\1\0\0\0wc{module}\n{name}\n{argument}Rs.".encode("latin-1")


def doubling_key() -> bytes:
    """A state dict whose name is a tuple of the same tuple twice, fifty times over: it takes for ever to hash."""
    levels = b"".join(b"h" + bytes([level]) + b"\x86q" + bytes([level + 1]) for level in range(1, 51))
    return b"\x80\x02}))\x86q\x01" + levels + b"K\x01s."


def npy(values: np.ndarray | None = None, header: str | None = None) -> bytes:
    """An ``.npy`` of zeros, or with a header of one's own."""
    text = (header or f"{{'descr': '<f4', 'fortran_order': False, 'shape': {np.shape(values)}, }}").encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + (b"" if values is None else values.tobytes())


def npz(path: Path, entries: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """An archive of any bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def pickled(folder: Path, protocol: int = 2) -> bytes:
    """A pickle that executes something."""
    return pickle.dumps(Payload(folder), protocol)


def safetensors(path: Path, header: object, data: bytes = b"", length: int | None = None) -> None:
    """A safetensors file with any header: an object, or text as it stands."""
    text = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)


def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    """How a header describes a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def lying_footer(path: Path, true: int, told: int) -> None:
    """Change every count of rows in a parquet file's footer, which is a stream of varints."""
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    body, footer = content[: -8 - length], content[-8 - length : -8]
    footer = footer.replace(b"\x16" + varint(true), b"\x16" + varint(told))
    path.write_bytes(body + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def varint(number: int) -> bytes:
    """A signed integer as thrift writes it."""
    number, digits = number << 1, bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def first_shard(zoo: Path) -> Path:
    """One of a zoo's shards."""
    return sorted(zoo.glob("weights/*/*.safetensors"))[0]


def edit_manifest(zoo: Path, change: object) -> None:
    """Rewrite the manifest; ``change`` is called with its content."""
    content = json.loads((zoo / "manifest.json").read_text())
    change(content)  # type: ignore[operator]
    (zoo / "manifest.json").write_text(json.dumps(content))


def sign_shard(zoo: Path, shard: Path, tensors: Mapping[str, np.ndarray] | None = None) -> None:
    """Make the manifest fit a changed shard: its size, and the hash of its tensors where they are given."""

    def change(content: dict) -> None:
        told = content["weights"]["shards"][shard.relative_to(zoo).as_posix()]
        told["bytes"] = shard.stat().st_size
        if tensors is not None:
            told["hash"] = hash_tensors(tensors)
        content["weights"]["hash"] = hash_shards(Manifest.model_validate(content).weights.shards)

    edit_manifest(zoo, change)


def sign_card(zoo: Path, content: dict) -> None:
    """Write a card, and make the manifest fit it."""

    def change(manifest: dict) -> None:
        told = manifest["annotations"]
        told["card"] = hash_json(ZooCard.model_validate(content).content())
        told["hash"] = combine_annotations(told["card"], told["models"], told["pairs"])

    (zoo / "zoo.yaml").write_text(json.dumps(content))
    edit_manifest(zoo, change)


def edit_table(path: Path, **columns: object) -> None:
    """Replace columns of a parquet file by arrays, or by one value for every row."""
    table = pq.read_table(path)
    for name, values in columns.items():
        values = values if isinstance(values, pa.Array) else pa.array([values] * table.num_rows)
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, path)


def tune_run(tree: Path, name: str, width: int, **config: object) -> Path:
    """One run's folder, as Ray Tune leaves it, with one checkpoint."""
    folder = tree / name
    (folder / "checkpoint_000001").mkdir(parents=True)
    made = {"seed": 0, "model::type": "mine", "model::width": width, "training::batchsize": 8, "optim::lr": 0.1}
    (folder / "params.json").write_text(json.dumps(made | config))
    lines = [{"train_loss": 1.0, "test_acc": 0.5, "training_iteration": epoch} for epoch in (0, 1)]
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    torch_file(folder / "checkpoint_000001" / "checkpoints", tensor_pickle())
    return folder


def tune_tree(tree: Path) -> None:
    """Two runs, ``a`` and ``b``."""
    tune_run(tree, "a", 4)
    tune_run(tree, "b", 5)


class ModelDatasetBase:
    """The class whose objects the Model Zoo Dataset's preprocessed files hold; ``**attributes`` are theirs."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


def population(folder: Path, **attributes: object) -> None:
    """A preprocessed file of the Model Zoo Dataset, of two networks, or of other attributes."""
    import torch

    properties = {"optim::lr": [0.1, 0.2], "model::dropout": [0.0, 0.1], "seed": [0, 0]}
    sound = {"data_in": [{"w": torch.ones(3)}] * 2, "epochs": [0, 0], "paths": ["a", "b"], "properties": properties}
    torch.save({"trainset": ModelDatasetBase(**(sound | attributes))}, folder / "dataset.pt")


def small_cnns(folder: Path) -> None:
    """A Small CNN Zoo of two networks of one weight."""
    (folder / "layout.csv").write_text('varname,start_idx,end_idx,shape\na/kernel:0,0,1,"(1,)"\n')
    np.save(folder / "weights.npy", np.zeros((2, 1), np.float32))
    metrics(folder, "modeldir,step,train_fraction,learning_rate\nx,0,1,0.1\ny,0,0.5,0.2\n")


def metrics(folder: Path, text: str, again: str = "", times: int = 0) -> None:
    """The table of a Small CNN Zoo, and behind it a text any number of times: gzip's members follow one another."""
    packed = gzip.compress(text.encode()) + gzip.compress(again.encode()) * times
    (folder / "metrics.csv.gz").write_bytes(packed)


FOREIGN_ZOOS = {"ptmz": tune_tree, "modelzoo": population, "smallcnn": small_cnns}
"""By layout, what writes a small sound zoo."""


def announced_header(path: Path, megabytes: int) -> None:
    """A sparse ``.npy`` that announces a header of so many megabytes."""
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x02\x00" + (megabytes * MEGABYTE).to_bytes(4, "little"))
        file.truncate(megabytes * MEGABYTE + 12)


def colliding_integers(count: int) -> bytes:
    """The pickle of a dictionary whose keys are different integers of one hash."""
    keys = ((2**61 - 1) * number for number in range(1, count))
    return b"\x80\x02}" + b"".join(b"\x8a\x0b" + key.to_bytes(11, "little") + b"K\x01s" for key in keys) + b"."
