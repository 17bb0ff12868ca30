"""The corpus: one generator a trick, with the reader that it is meant for and how that has to refuse it.

A generator is called with a folder: an empty one, or a copy of a sound zoo for the reader ``zoo``. Beside it lie files
that nobody may touch.
"""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from safetensors.numpy import load_file, save_file

from tests.hostile.files import (
    ESCAPE,
    MEGABYTE,
    REVERSED,
    Payload,
    announced_header,
    colliding_integers,
    doubling_key,
    edit_manifest,
    edit_table,
    entry,
    first_shard,
    global_pickle,
    lying_footer,
    metrics,
    npy,
    npz,
    pickled,
    population,
    raw_zip,
    safetensors,
    sign_card,
    sign_shard,
    tensor_pickle,
    torch_file,
    tune_run,
    zeros,
)
from wslbench.errors import (
    ArchitectureError,
    RecipeError,
    ResultError,
    TaskError,
    WeightsNotFiniteError,
    WslbenchError,
    ZooDamagedError,
    ZooFormatError,
    ZooNotFoundError,
)

Generator = Callable[[Path], object]


@dataclass(frozen=True)
class Trick:
    """A hostile file, and the answer to it: the type of the error (exactly that), and words of its message."""

    reader: str
    make: Generator
    error: type[WslbenchError]
    words: str


TRICKS: dict[str, Trick] = {}


def trick(reader: str, error: type[WslbenchError], words: str) -> Callable[[Generator], Generator]:
    """Register a generator under its name."""

    def register(make: Generator) -> Generator:
        name = make.__name__.strip("_")
        assert name not in TRICKS, name
        TRICKS[name] = Trick(reader, make, error, words)
        return make

    return register


def each(reader: str, error: type[WslbenchError], words: str, **generators: Generator) -> None:
    """Register generators that are refused in the same words."""
    TRICKS.update({name: Trick(reader, make, error, words) for name, make in generators.items()})


def linked(name: str, target: str) -> Generator:
    """A symbolic link in the place of a file."""

    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return make


def pipe(name: str) -> Generator:
    """A pipe, into which nobody writes, in the place of a file."""

    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return make


def text(name: str, content: str) -> Generator:
    """A text file."""
    return lambda folder: (folder / name).write_text(content, encoding="utf-8", errors="surrogatepass")


# --- state dicts: .pt -------------------------------------------------------------------------------------------------

STATE = "state dict", ZooFormatError
each(
    *STATE,
    "is no sound zip archive",
    pt_pickle_without_archive=lambda folder: (folder / "net.pt").write_bytes(pickled(folder)),
    npz_that_is_a_pickle=lambda folder: (folder / "net.npz").write_bytes(pickled(folder)),
    npz_that_is_an_npy_of_objects=lambda folder: np.save(
        (folder / "net.npz").open("wb"), np.array([{}], dtype=object), allow_pickle=True
    ),
    pt_with_another_archive_behind_it=lambda folder: (
        torch_file(folder / "net.pt", tensor_pickle()),
        (folder / "net.pt").write_bytes((folder / "net.pt").read_bytes() + b"PK\x05\x06" + bytes(18) + b"tail"),
    ),
    pt_empty=lambda folder: (folder / "net.pt").write_bytes(b""),
)
each(
    *STATE,
    "asks for '.*', which no state dict needs; not executed",
    pt_payload=lambda folder: torch_file(folder / "net.pt", pickled(folder)),
    pt_bytes_of_any_length=lambda folder: torch_file(
        folder / "net.pt", global_pickle("__builtin__", "bytearray", "\x8a\x05\x00\x00\x00\x00\x40\x85")
    ),
    pt_tensor_without_values=lambda folder: torch_file(
        folder / "net.pt", global_pickle("torch._utils", "_rebuild_meta_tensor_no_storage", ")")
    ),
    pt_wrapped_class=lambda folder: torch_file(
        folder / "net.pt", global_pickle("posix", "system", "X\4\0\0\0true\x85")
    ),
)
each(
    *STATE,
    "cannot be read",
    pt_pickle_cut_short=lambda folder: torch_file(folder / "net.pt", tensor_pickle()[:-9]),
    pt_pickle_of_nonsense=lambda folder: torch_file(folder / "net.pt", b"\x80\x02\xff\xfe."),
    pt_storage_longer_than_its_record=lambda folder: torch_file(
        folder / "net.pt", tensor_pickle(size="J\0\0\0\x10K\1", numel="J\0\0\0\x10")
    ),
    pt_tensor_longer_than_its_storage=lambda folder: torch_file(
        folder / "net.pt", tensor_pickle(size="J\0\0\0\x10K\1")
    ),
    pt_negative_size=lambda folder: torch_file(folder / "net.pt", tensor_pickle(size="J\xff\xff\xff\xffK\1")),
    pt_size_of_text=lambda folder: torch_file(folder / "net.pt", tensor_pickle(size="X\1\0\0\0wK\1")),
)


@trick(*STATE, "of protocol 4")
def pt_payload_of_a_newer_protocol(folder: Path) -> None:
    torch_file(folder / "net.pt", pickled(folder, 4))


@trick(*STATE, "uses a tuple again")
def pt_name_that_takes_for_ever_to_hash(folder: Path) -> None:
    torch_file(folder / "net.pt", doubling_key())


@trick(*STATE, "unfold to more values")
def pt_strides_of_zero(folder: Path) -> None:
    torch_file(folder / "net.pt", tensor_pickle(size="J\0\0\0\x10J\0\0\0\x10", stride="K\0K\0"))


@trick(*STATE, "compressed, which torch.save never does")
def pt_bomb_of_modest_size(folder: Path) -> None:
    torch_file(folder / "net.pt", tensor_pickle(), {"0": bytes(MEGABYTE)}, compression=8)


@trick(*STATE, "its pickle has more than")
def pt_pickle_without_end(folder: Path) -> None:
    torch_file(folder / "net.pt", b"\x80\x02" + b"(" * 2 * MEGABYTE)


@trick(*STATE, "a tuple among its names")
def pt_name_that_is_no_text(folder: Path) -> None:
    torch_file(folder / "net.pt", tensor_pickle(key=")"))


@trick(*STATE, "a int, not a state dict")
def pt_that_is_no_dict(folder: Path) -> None:
    torch_file(folder / "net.pt", b"\x80\x02K\1.")


@trick(*STATE, "holds 2 pickles")
def pt_with_two_pickles(folder: Path) -> None:
    torch_file(folder / "net.pt", tensor_pickle(), {"0": bytes(48), "other/data.pkl": b"."})


@trick("state dict", WeightsNotFiniteError, "not finite")
def pt_infinite_weight(folder: Path) -> None:
    torch_file(folder / "net.pt", tensor_pickle(), {"0": np.full(12, np.inf, "<f4").tobytes()})


TEN_MEGABYTES = zeros(10)

# --- state dicts: .npz ------------------------------------------------------------------------------------------------


@trick(*STATE, "holds a pickle, which is not executed")
def npz_payload(folder: Path) -> None:
    npz(
        folder / "net.npz",
        {"w.npy": npy(header="{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + pickled(folder)},
    )


each(
    *STATE,
    "unfolds from .* bytes, more than any weights do",
    npz_bomb=lambda folder: raw_zip(folder / "net.npz", [("w.npy", zeros(1024), 1024 * MEGABYTE)]),
    npz_bomb_of_overlapping_entries=lambda folder: raw_zip(
        folder / "net.npz",
        [(f"{n}.npy", stream, 10 * MEGABYTE) for stream in [zeros(10)] for n in range(1000)],
        shared=True,
    ),
    pt_bomb=lambda folder: raw_zip(folder / "net.pt", [("net/data.pkl", zeros(1024), 1024 * MEGABYTE)]),
)
each(
    *STATE,
    "leads out of the archive",
    npz_entry_above=lambda folder: npz(folder / "net.npz", {"../canary.npy": npy(np.zeros(2, "<f4"))}),
    npz_entry_at_the_root=lambda folder: npz(folder / "net.npz", {"/tmp/canary.npy": npy(np.zeros(2, "<f4"))}),
)
each(
    *STATE,
    "is not as long as its header says",
    npz_huge_shape=lambda folder: npz(
        folder / "net.npz",
        {"w.npy": npy(header=f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**40},), }}") + bytes(8)},
    ),
    npz_huge_type=lambda folder: npz(
        folder / "net.npz",
        {"w.npy": npy(header="{'descr': ('<f4', (30000, 9000)), 'fortran_order': False, 'shape': (1,), }") + bytes(8)},
    ),
    npz_of_nothing_at_all=lambda folder: npz(
        folder / "net.npz", {"w.npy": npy(header=f"{{'descr': '|V0', 'fortran_order': False, 'shape': ({2**60},), }}")}
    ),
)
each(
    *STATE,
    "cannot be read",
    npz_bomb_that_lies=lambda folder: raw_zip(folder / "net.npz", [("w.npy", zeros(1024), 1000)]),
    npz_header_of_code=lambda folder: npz(
        folder / "net.npz", {"w.npy": npy(header="__import__('os').system('touch ../executed')")}
    ),
    npz_header_nested=lambda folder: npz(folder / "net.npz", {"w.npy": npy(header="(" * 9000)}),
    npz_entry_that_is_no_array=lambda folder: npz(folder / "net.npz", {"w": b"anything else"}),
)


@trick(*STATE, "impossible shape")
def npz_negative_shape(folder: Path) -> None:
    npz(
        folder / "net.npz",
        {"w.npy": npy(header="{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -1), }") + bytes(8)},
    )


@trick(*STATE, "is a symbolic link")
def npz_entry_that_is_a_link(folder: Path) -> None:
    link = zipfile.ZipInfo("w.npy")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16  # as Unix writes them
    with zipfile.ZipFile(folder / "net.npz", "w") as archive:
        archive.writestr(link, "../canary.txt")


@trick(*STATE, "announces a header of")
def npz_header_of_400_megabytes(folder: Path) -> None:
    begin = b"\x93NUMPY\x02\x00" + (400 * MEGABYTE).to_bytes(4, "little")
    with zipfile.ZipFile(folder / "net.npz", "w") as archive, archive.open("w.npy", "w") as file:
        file.write(begin)
        for _ in range(400):
            file.write(bytes(MEGABYTE))


@trick(*STATE, "integer of more than 64 bits")
def pt_colliding_integers(folder: Path) -> None:
    torch_file(folder / "net.pt", colliding_integers(12_000))


@trick(*STATE, "nested too deeply")
def pt_pickle_of_marks(folder: Path) -> None:
    torch_file(folder / "net.pt", b"\x80\x02" + b"(" * (MEGABYTE - 2))


@trick(*STATE, "two entries of one name")
def npz_entry_twice(folder: Path) -> None:
    raw_zip(folder / "net.npz", [("w.npy", zeros(1), 1), ("w.npy", zeros(1), 1)])


@trick(*STATE, "announces a list of entries of")
def npz_directory_of_100_megabytes(folder: Path) -> None:
    with (folder / "net.npz").open("wb") as file:
        file.seek(100 * MEGABYTE)
        file.write(b"PK\x05\x06" + b"\0\0\0\0\x01\0\x01\0" + (100 * MEGABYTE).to_bytes(4, "little") + bytes(6))


@trick("state dict", WeightsNotFiniteError, "not finite")
def npz_nan(folder: Path) -> None:
    npz(folder / "net.npz", {"w.npy": npy(np.array([1, np.nan], "<f4"))})


each(
    *STATE,
    "is not an ordinary file",
    npz_pipe=pipe("net.npz"),
    pt_pipe=pipe("net.pt"),
    safetensors_pipe=pipe("net.safetensors"),
    npz_device=linked("net.npz", "/dev/zero"),
    pt_device=linked("net.pt", "/dev/zero"),
    safetensors_device=linked("net.safetensors", "/dev/zero"),
)

# --- state dicts: .safetensors ----------------------------------------------------------------------------------------

FOREIGN = "net.safetensors"


def header_of_100_megabytes(path: Path) -> None:
    """A sparse file, whose announced header is all spaces and zeros."""
    with path.open("wb") as file:
        file.write((100 * MEGABYTE).to_bytes(8, "little") + b"{")
        file.truncate(100 * MEGABYTE + 8)


def headers() -> Iterator[tuple[str, Callable[[Path], object], str]]:
    """Headers that both readers of safetensors refuse, and a word of why, for the one that is ours."""
    four = bytes(16)
    yield (
        "overlapping",
        lambda p: safetensors(p, {"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, bytes(12)),
        "overlaps",
    )
    yield "negative", lambda p: safetensors(p, {"a": entry(-8, 8, [4])}, four), "offsets that do not fit"
    yield "huge", lambda p: safetensors(p, {"a": entry(0, 2**62, [2**60])}, four), "impossible shape"
    yield "beyond", lambda p: safetensors(p, {"a": entry(0, 64, [16])}, four), "its header describes"
    yield "hole", lambda p: safetensors(p, {"a": entry(0, 4, [1]), "b": entry(12, 16, [1])}, four), "leaves a hole"
    twice = '{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "a": {"dtype": "F32", "shape": [4], '
    yield "twice", lambda p: safetensors(p, twice + '"data_offsets": [0, 16]}}', four), "stands twice"
    yield "of_100_megabytes", header_of_100_megabytes, "announces a header of"
    yield "longer_than_the_file", lambda p: safetensors(p, {}, b"", 2**62), "announces a header of"
    yield "wrong_type", lambda p: safetensors(p, {"a": entry(0, 16, [4], "O64")}, four), "zoos hold F32 alone"
    yield "wrong_shape", lambda p: safetensors(p, {"a": entry(0, 16, [3])}, four), "offsets that do not fit"
    yield "overflowing_shape", lambda p: safetensors(p, {"a": entry(0, 0, [2**62, 4])}), "impossible shape"
    yield "nested", lambda p: safetensors(p, "[" * 100_000), "not valid JSON"
    yield "no_object", lambda p: safetensors(p, [1, 2], four), "not a JSON object"
    yield (
        "metadata",
        lambda p: safetensors(p, {"__metadata__": {"a": [1]}, "b": entry(0, 16, [4])}, four),
        "__metadata__",
    )
    yield "trailing", lambda p: safetensors(p, {"a": entry(0, 8, [2])}, four), "its header describes"
    yield "huge_number", lambda p: safetensors(p, '{"a": ' + "9" * 5000 + "}", four), "not valid JSON"


def shard_header(make: Callable[[Path], object]) -> Generator:
    """The header in a zoo's shard, whose size the manifest tells as it is."""

    def changed(zoo: Path) -> None:
        make(first_shard(zoo))
        sign_shard(zoo, first_shard(zoo))

    return changed


for label, make, reason in headers():
    each(*STATE, "is no sound safetensors file", **{f"foreign_header_{label}": lambda f, m=make: m(f / FOREIGN)})
    each("zoo", ZooDamagedError, reason, **{f"shard_header_{label}": shard_header(make)})
TRICKS["shard_header_wrong_type"] = Trick(
    "zoo", TRICKS["shard_header_wrong_type"].make, ZooDamagedError, "zoos hold F32"
)


@trick("state dict", WeightsNotFiniteError, "not finite")
def foreign_infinite_weight(folder: Path) -> None:
    save_file({"w": np.array([1, -np.inf], np.float32)}, folder / FOREIGN)


@trick(*STATE, "not real numbers")
def foreign_complex_weight(folder: Path) -> None:
    safetensors(folder / FOREIGN, {"a": entry(0, 16, [2], "C64")}, bytes(16))


# --- zoos: weights ----------------------------------------------------------------------------------------------------

ZOO = "zoo", ZooDamagedError


def spoiled(value: float) -> Generator:
    """One weight of a shard changed, and the manifest made to fit."""

    def make(zoo: Path) -> None:
        shard = first_shard(zoo)
        tensors = load_file(shard)
        tensors["fc.bias"].reshape(-1)[0] = value
        save_file(tensors, shard)
        sign_shard(zoo, shard, tensors)

    return make


each(*ZOO, "values that are not finite", weight_nan=spoiled(np.nan), weight_infinite=spoiled(np.inf))


@trick(*ZOO, "its tensors are not those that the manifest describes")
def weight_that_is_not_the_announced_one(zoo: Path) -> None:
    content = bytearray(first_shard(zoo).read_bytes())
    content[-1] ^= 1
    first_shard(zoo).write_bytes(content)


@trick(*ZOO, "the manifest says")
def shard_longer_than_announced(zoo: Path) -> None:
    first_shard(zoo).write_bytes(first_shard(zoo).read_bytes() + bytes(4))


@trick(*ZOO, "does not hold 15 models")
def shard_of_more_models(zoo: Path) -> None:
    shard = first_shard(zoo)
    save_file({name: np.concatenate([tensor, tensor]) for name, tensor in load_file(shard).items()}, shard)
    sign_shard(zoo, shard)


def outside(name: str, is_folder: bool = False) -> Generator:
    """A part of the zoo moved out of it, and a link to it in its place."""

    def make(zoo: Path) -> None:
        path = first_shard(zoo) if name == "shard" else zoo / name
        path.rename(zoo.parent / "elsewhere")
        path.symlink_to(zoo.parent / "elsewhere", target_is_directory=is_folder)

    return make


each(*ZOO, "is a link out of the zoo's folder", shard_link=outside("shard"), weights_link=outside("weights", True))


def replaced(name: str, target: str | None) -> Generator:
    """A pipe, or a link to a device, in the place of a part of the zoo."""

    def make(zoo: Path) -> None:
        path = (first_shard(zoo) if name == "shard" else zoo / name).relative_to(zoo).as_posix()
        (pipe(path) if target is None else linked(path, target))(zoo)

    return make


each(*ZOO, "is missing", shard_pipe=replaced("shard", None), shard_device=replaced("shard", "/dev/zero"))
each(
    *ZOO,
    "not an ordinary file",
    **{
        f"{name.partition('.')[0].replace('/', '_')}_{kind}": replaced(name, target)
        for name in ("zoo.yaml", "models.parquet", "pairs.parquet", "splits/new-load.parquet")
        for kind, target in (("pipe", None), ("device", "/dev/zero"))
    },
)

each(
    "zoo",
    ZooNotFoundError,
    "has no manifest.json",
    manifest_pipe=pipe("manifest.json"),
    manifest_device=linked("manifest.json", "/dev/zero"),
)

# --- zoos: the manifest -----------------------------------------------------------------------------------------------


def renamed_shard(name: str) -> Generator:
    """A manifest that names a shard otherwise."""

    def change(content: dict) -> None:
        shards = content["weights"]["shards"]
        shards[name] = shards.pop(sorted(shards)[0])

    return lambda zoo: edit_manifest(zoo, change)


each(
    "zoo",
    ZooFormatError,
    "is not the path of a shard",
    manifest_path_above=renamed_shard("../../canary.txt"),
    manifest_path_above_within=renamed_shard("weights/w2/../../../canary-0.safetensors"),
    manifest_path_that_climbs=renamed_shard("weights/../0-0.safetensors"),
    manifest_path_absolute=renamed_shard("/etc/passwd"),
    manifest_path_of_a_device=renamed_shard("/dev/zero"),
    manifest_path_of_another_platform=renamed_shard("weights\\..\\..\\canary-0.safetensors"),
    manifest_path_with_a_line_break=renamed_shard("weights/w2/0-0.safetensors\n"),
)
each(
    "zoo",
    ZooFormatError,
    "control characters",
    manifest_path_with_a_zero=renamed_shard("weights/w2/0-0.safetensors\0"),
    manifest_escape_code=renamed_shard(f"weights/{ESCAPE}/0-0.safetensors"),
    manifest_reversed=renamed_shard(f"weights/{REVERSED}/0-0.safetensors"),
)
each(
    "zoo",
    ZooFormatError,
    "is not a name|should match pattern|greater than or equal|finite number",
    manifest_split_above=lambda zoo: edit_manifest(zoo, lambda m: m["splits"].update({"../canary": "0" * 64})),
    manifest_hash_of_another_form=lambda zoo: edit_manifest(zoo, lambda m: m["weights"].update(hash="../x")),
    manifest_negative_size=lambda zoo: edit_manifest(
        zoo, lambda m: [shard.update(bytes=-1) for shard in m["weights"]["shards"].values()]
    ),
    manifest_nan=lambda zoo: edit_manifest(
        zoo, lambda m: [shard.update(models=float("nan")) for shard in m["weights"]["shards"].values()]
    ),
)
each(
    *ZOO,
    "contradicts itself",
    manifest_hash_of_weights=lambda zoo: edit_manifest(zoo, lambda m: m["weights"].update(hash="0" * 64)),
    manifest_hash_of_annotations=lambda zoo: edit_manifest(zoo, lambda m: m["annotations"].update(hash="0" * 64)),
)
each(
    *ZOO,
    "is not valid JSON",
    manifest_nested=text("manifest.json", '{"weights": ' + "[" * 100_000),
    manifest_key_twice=text("manifest.json", '{"format_version": 1, "format_version": 1}'),
    manifest_huge_number=text("manifest.json", '{"format_version": ' + "9" * 100_000 + "}"),
    manifest_empty=text("manifest.json", ""),
)


@trick(*ZOO, "has more than")
def manifest_of_100_megabytes(zoo: Path) -> None:
    os.truncate(zoo / "manifest.json", 100 * MEGABYTE)


@trick(*ZOO, "is not the one that the manifest describes")
def split_hash(zoo: Path) -> None:
    edit_manifest(zoo, lambda manifest: manifest["splits"].update({"new-load": "0" * 64}))


@trick(*ZOO, "is missing")
def shard_that_is_not_there(zoo: Path) -> None:
    first_shard(zoo).unlink()


# --- zoos: the card ---------------------------------------------------------------------------------------------------

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(level + 1)}: &{chr(level + 1)} [{', '.join([f'*{chr(level)}'] * 9)}]\n" for level in range(97, 112)
)
NESTED = "a: " + "[" * 50_000
TAGGED = "a: !!python/object/apply:os.system ['touch ../executed']\n"
HUGE = "a: " + "9" * 50_000 + "\n"
MERGED = "a: &a {b: 1}\nc:\n  <<: *a\n"

each(
    "zoo",
    ZooFormatError,
    "aliases",
    card_aliases=text("zoo.yaml", LAUGHS),
    card_merge_keys=text("zoo.yaml", MERGED),
    card_alias_of_itself=text("zoo.yaml", "a: &a [*a]\n"),
)
each(
    "zoo",
    ZooFormatError,
    "nested too deeply|a number of [0-9]+ digits|more than [0-9]+ values",
    card_of_many_values=text("zoo.yaml", "a: [" + "1," * 250_000 + "1]"),
    card_nested=text("zoo.yaml", NESTED),
    card_nested_by_dashes=text("zoo.yaml", "- " * 50_000),
    card_huge_number=text("zoo.yaml", HUGE),
    card_huge_number_of_base_16=text("zoo.yaml", "a: 0x" + "f" * 50_000),
    card_huge_number_of_base_60=text("zoo.yaml", "a: 1" + ":59" * 50_000),
)
each(
    *ZOO,
    "is not valid YAML",
    card_tag=text("zoo.yaml", TAGGED),
    card_date_that_is_none=text("zoo.yaml", "a: 2026-99-99\n"),
    card_key_that_is_no_text=text("zoo.yaml", "? [a, b]\n: 1\n"),
    card_raw_escape_code=text("zoo.yaml", f"description: {ESCAPE}\n"),
)


@trick(*ZOO, "has more than")
def card_of_100_megabytes(zoo: Path) -> None:
    os.truncate(zoo / "zoo.yaml", 100 * MEGABYTE)


def card_with(field: str, value: object) -> Generator:
    """A card with a changed field, and a manifest that fits."""

    def make(zoo: Path) -> None:
        content = yaml.safe_load((zoo / "zoo.yaml").read_text())
        *path, last = field.split(".")
        place = content
        for step in path:
            place = place[step]
        place[last] = value
        sign_card(zoo, content)

    return make


each(
    "zoo",
    ZooFormatError,
    "control characters",
    card_escape_code=card_with("description", f"A zoo{ESCAPE}"),
    card_reversed=card_with("citation", f"see {REVERSED}"),
    card_escape_code_in_a_key=card_with("software", {ESCAPE: "1"}),
    card_escape_code_deep_inside=card_with("recipe", {"a": [{"b": [ESCAPE]}]}),
)


each(
    *ZOO,
    "does not hold the tensors of architecture",
    card_network_of_any_size=card_with("architectures.w2.arguments.width", 2**24),
)
each(
    "zoo",
    ArchitectureError,
    "cannot be built",
    card_network_of_any_depth=card_with(
        "architectures.w2", {"builder": "gpt", "arguments": {"dim": 8, "depth": 10**9, "heads": 1}}
    ),
    card_network_of_many_layers=card_with(
        "architectures.w2",
        {"builder": "mlp", "arguments": {"in_features": 1, "hidden": [1] * 10_000, "out_features": 1}},
    ),
    card_network_beyond_integers=card_with("architectures.w2.arguments.width", 10**30),
)


@trick(*ZOO, "is not the one that the manifest describes")
def card_that_is_not_the_announced_one(zoo: Path) -> None:
    content = yaml.safe_load((zoo / "zoo.yaml").read_text())
    (zoo / "zoo.yaml").write_text(json.dumps({**content, "licence": "other"}))


# --- zoos: tables -----------------------------------------------------------------------------------------------------


def models_with(**columns: object) -> Generator:
    """The table of models with other columns."""
    return lambda zoo: edit_table(zoo / "models.parquet", **columns)


def only(array: pa.Array) -> Generator:
    """The table of models replaced by a single column."""
    return lambda zoo: pq.write_table(pa.table({"model_id": array}), zoo / "models.parquet")


each(
    "zoo",
    ZooFormatError,
    "has to be|neither numbers nor text",
    table_text_for_numbers=models_with(epoch="ten"),
    table_numbers_for_text=models_with(phase=1.5),
    table_bytes_for_text=models_with(cell_id=b"\xff\xfe"),
    table_nested=models_with(phase=[["I"]]),
    table_of_records=models_with(phase={"a": 1}),
    table_of_times=models_with(phase=__import__("datetime").datetime(2026, 1, 1)),
)
each(
    *ZOO,
    "unfolds to",
    table_of_nothing=only(pa.nulls(60_000_000)),
    table_dictionary=lambda zoo: pq.write_table(
        pa.table({"model_id": pa.DictionaryArray.from_arrays(pa.array(np.zeros(30_000, "i4")), ["x" * 10_000])}),
        zoo / "models.parquet",
        store_schema=False,
    ),
)


@trick(*ZOO, "unfolds to|cannot be read as parquet")
def table_that_lies_about_its_rows(zoo: Path) -> None:
    pq.write_table(pa.table({"model_id": pa.array(range(12345))}), zoo / "models.parquet")
    lying_footer(zoo / "models.parquet", 12345, 2**40)


@trick("zoo", ZooFormatError, "lacks the column")  # read as far as there is anything
def table_that_lies_a_little(zoo: Path) -> None:
    pq.write_table(pa.table({"model_id": pa.array(range(12345))}), zoo / "models.parquet")
    lying_footer(zoo / "models.parquet", 12345, 10_000_000)


each(
    "zoo",
    ZooFormatError,
    "control characters",
    table_escape_code=models_with(phase=f"I{ESCAPE}"),
    table_reversed=models_with(cell_id=REVERSED),
)
each(
    *ZOO,
    "cannot be read as parquet",
    table_of_noise=lambda zoo: (zoo / "models.parquet").write_bytes(b"PAR1" + bytes(range(256)) + b"PAR1"),
    table_footer_longer_than_the_file=lambda zoo: (zoo / "models.parquet").write_bytes(b"PAR1\xff\xff\xff\x7fPAR1"),
    pairs_that_are_text=text("pairs.parquet", "cell_id,seed_a,seed_b\n"),
)
each(*ZOO, "is not the one that the manifest describes", table_of_another_zoo=models_with(seed=7))


@trick("zoo", ZooFormatError, "lacks the column")
def table_without_columns(zoo: Path) -> None:
    pq.write_table(pa.table({}), zoo / "models.parquet")


@trick("zoo", ZooFormatError, "control characters")
def table_escape_code_in_a_column(zoo: Path) -> None:
    table = pq.read_table(zoo / "models.parquet")
    pq.write_table(table.append_column(ESCAPE, pa.nulls(len(table), pa.int64())), zoo / "models.parquet")


# --- task files -------------------------------------------------------------------------------------------------------

TASKS = (Path(__file__).parents[2] / "tasks.yaml").read_text(encoding="utf-8")
each(
    "tasks",
    TaskError,
    "nested too deeply|a number of [0-9]+ digits",
    tasks_nested=text("tasks.yaml", NESTED),
    tasks_huge_number=text("tasks.yaml", HUGE),
)
each(
    "tasks", TaskError, "aliases", tasks_aliases=text("tasks.yaml", LAUGHS), tasks_merge_keys=text("tasks.yaml", MERGED)
)
each(
    "tasks",
    TaskError,
    "not valid YAML",
    tasks_tag=text("tasks.yaml", TAGGED),
    tasks_raw_escape_code=text("tasks.yaml", f"a: {ESCAPE}\n"),
    tasks_time_that_is_none=text("tasks.yaml", "a: 2026-01-01 99:99:99\n"),
)
each(
    "tasks",
    TaskError,
    "not an ordinary file",
    tasks_pipe=pipe("tasks.yaml"),
    tasks_device=linked("tasks.yaml", "/dev/zero"),
)
each("tasks", TaskError, "stands twice", tasks_field_twice=text("tasks.yaml", "a: 1\na: 2\n"))
each(
    "tasks",
    TaskError,
    "should match pattern",
    tasks_zoo_above=text("tasks.yaml", TASKS.replace("zoo: digits-cnn\n", "zoo: ../../canary\n", 1)),
    tasks_zoo_absolute=text("tasks.yaml", TASKS.replace("zoo: digits-cnn\n", "zoo: /etc/passwd\n", 1)),
)
each(
    "tasks",
    TaskError,
    "control characters",
    tasks_escape_code=text("tasks.yaml", TASKS.replace("label: ", 'label: "\\e[2J" #', 1)),
    tasks_reversed=text("tasks.yaml", TASKS.replace("label: ", f"label: {REVERSED}", 1)),
    tasks_escape_code_in_a_key=text("tasks.yaml", '"\\e[2J": 1\n'),
)


@trick("tasks", TaskError, "has more than")
def tasks_of_100_megabytes(folder: Path) -> None:
    (folder / "tasks.yaml").touch()
    os.truncate(folder / "tasks.yaml", 100 * MEGABYTE)


# --- recipes ----------------------------------------------------------------------------------------------------------

each(
    "recipe",
    RecipeError,
    "nested too deeply|a number of [0-9]+ digits",
    recipe_nested=text("recipe.yaml", NESTED),
    recipe_huge_number=text("recipe.yaml", HUGE),
)
each("recipe", RecipeError, "aliases", recipe_aliases=text("recipe.yaml", LAUGHS))
each(
    "recipe",
    RecipeError,
    "not valid YAML",
    recipe_tag=text("recipe.yaml", TAGGED),
)
each(
    "recipe",
    RecipeError,
    "no recipe",
    recipe_pipe=pipe("recipe.yaml"),
    recipe_device=linked("recipe.yaml", "/dev/zero"),
)

# --- other people's results -------------------------------------------------------------------------------------------

each(
    "record",
    ResultError,
    "cannot be read",
    record_pipe=pipe("record.json"),
    record_device=linked("record.json", "/dev/zero"),
)
EMPTIES = '{"a": [' + "{}," * 600_000 + "1]}"
each("record", ResultError, "more than 100000 values", record_of_values=text("record.json", EMPTIES))
each("record", ResultError, "is not a record", record_of_fewer=text("record.json", EMPTIES[:150_000] + "{}]}"))
each("record", ResultError, "is not a record", record_nested=text("record.json", '{"a": ' + "[" * 100_000))
each("record", ResultError, "has more than", record_of_10_megabytes=text("record.json", " " * 10 * MEGABYTE))
each("record", ResultError, "is not a record", record_huge_number=text("record.json", '{"a": ' + "9" * 100_000 + "}"))
each(
    "predictions",
    ResultError,
    "cannot be read|unfolds to|neither numbers nor text",
    predictions_pipe=pipe("predictions.parquet"),
    predictions_device=linked("predictions.parquet", "/dev/zero"),
    predictions_of_nothing=lambda f: pq.write_table(pa.table({"a": pa.nulls(60_000_000)}), f / "predictions.parquet"),
    predictions_nested=lambda f: pq.write_table(pa.table({"a": [[["x"]]]}), f / "predictions.parquet"),
)

# --- imports ----------------------------------------------------------------------------------------------------------

IMPORT = "import", ZooFormatError


def listed(name: str, made: Generator = lambda folder: None) -> Generator:
    """A metadata file of one line that names a state dict."""

    def make(folder: Path) -> None:
        made(folder)
        (folder / "metadata.csv").write_text(f"file,load,temperature\n{name},1,1\n")

    return make


each(
    *IMPORT,
    "which is outside",
    import_above=listed("../canary.txt"),
    import_absolute=listed("/etc/passwd"),
    import_device=listed("/dev/zero"),
    import_link=listed("net.npz", linked("net.npz", "../canary.txt")),
    import_folder_link=listed("sub/canary.txt", linked("sub", "..")),
)
each(*IMPORT, "is no file in", import_pipe=listed("net.npz", pipe("net.npz")))
each(
    *IMPORT,
    "cannot be read as CSV",
    metadata_pipe=pipe("metadata.csv"),
    metadata_device=linked("metadata.csv", "/dev/zero"),
    metadata_not_utf8=lambda folder: (folder / "metadata.csv").write_bytes(b"file,load\n\xff\xfe,1\n"),
    metadata_empty=text("metadata.csv", ""),
    metadata_of_columns=text("metadata.csv", "," * 5 * MEGABYTE),
    metadata_row_of_columns=text("metadata.csv", "file,load\n" + "," * 5 * MEGABYTE),
    metadata_quote_without_end=text("metadata.csv", 'file,load\n"' + "x\n" * MEGABYTE),
    metadata_name_with_a_zero=listed("net\0.npz"),
    metadata_of_zeros=lambda folder: (folder / "metadata.csv").write_bytes(b"file,load\n" + bytes(MEGABYTE)),
    metadata_of_line_breaks=text("metadata.csv", "file,load\n" + "\n" * 31 * MEGABYTE),
    metadata_of_rows=text("metadata.csv", "file,load\n" + "1,1\n" * 7 * MEGABYTE),
    metadata_huge_field=text("metadata.csv", "file,load\n" + "x" * 5 * MEGABYTE + ",1\n"),
    metadata_escape_code=text("metadata.csv", f"file,load\n{ESCAPE}.npz,1\n"),
    metadata_reversed=text("metadata.csv", f"file,load{REVERSED}\nnet.npz,1\n"),
)


@trick(*IMPORT, "cannot be read as CSV")
def metadata_of_a_gigabyte(folder: Path) -> None:
    with (folder / "metadata.csv").open("wb") as file:
        file.write(b"file,load,temperature\n")
        file.truncate(1024 * MEGABYTE)


@trick(*IMPORT, "no state dict")
def metadata_without_rows(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file,load,temperature\n")


@trick(*IMPORT, "numbers alone")
def metadata_formula(folder: Path) -> None:
    npz(folder / "net.npz", {"w.npy": npy(np.zeros(2, "<f4"))})
    (folder / "metadata.csv").write_text("file,load,temperature\nnet.npz,=cmd|'/c calc'!A1,1\n")


@trick(*IMPORT, "numbers alone")
def metadata_infinite_axis(folder: Path) -> None:
    npz(folder / "net.npz", {"w.npy": npy(np.zeros(2, "<f4"))})
    (folder / "metadata.csv").write_text("file,load,temperature\nnet.npz,inf,1\n")


@trick(*IMPORT, "asks for 'eval|asks for '__builtin__")
def import_payload(folder: Path) -> None:
    torch_file(folder / "net.pt", pickled(folder))
    (folder / "metadata.csv").write_text("file,load,temperature\nnet.pt,1,1\n")


# --- the layout ptmz: a folder a run ----------------------------------------------------------------------------------

PTMZ = "ptmz", ZooFormatError
RUN = "a/checkpoint_000001/checkpoints"


def hyperparameters(**config: object) -> Generator:
    """A tree with one more run, of other hyper-parameters."""
    return lambda tree: tune_run(tree, "c", 6, **config)


def padded(name: str, content: bytes, megabytes: int) -> Generator:
    """A sparse file of so many megabytes, which begins with something."""

    def make(folder: Path) -> None:
        (folder / name).write_bytes(content)
        os.truncate(folder / name, megabytes * MEGABYTE)

    return make


each(
    *PTMZ,
    "which no log needs|are no JSON",
    log_of_line_breaks=text("a/result.json", "\n" * 60 * MEGABYTE),
    log_without_line_breaks=padded("a/result.json", b'{"a":', 60),
    log_of_a_gigabyte=padded("a/result.json", b"{}\n", 1024),
    log_of_empty_lines=text("a/result.json", "{}\n" * 200_000),
    log_nested=text("a/result.json", ('{"a": ' + "[" * 10_000 + "\n") * 101),
    log_huge_number=text("a/result.json", ('{"a": ' + "9" * 10_000 + "}\n") * 101),
)
each(
    *PTMZ,
    "is a link",
    log_link=linked("a/result.json", "../../canary.txt"),
    run_link=linked("c", "a"),
    parameters_link=linked("a/params.json", "../../canary.txt"),
    checkpoint_link=linked(RUN, "../../../canary.txt"),
)
each(
    *PTMZ,
    "neither params.json nor config.json",
    parameters_pipe=pipe("a/params.json"),
    parameters_device=linked("a/params.json", "/dev/zero"),
)
each(
    *PTMZ,
    "cannot be read as JSON",
    parameters_nested=text("a/params.json", "[" * 100_000),
    parameters_huge_number=text("a/params.json", '{"a": ' + "9" * 100_000 + "}"),
    parameters_of_100_megabytes=padded("a/params.json", b"{", 100),
)
each(
    *PTMZ,
    "control characters",
    parameters_escape_code=hyperparameters(**{"model::nlin": ESCAPE}),
    parameters_escape_code_in_a_name=hyperparameters(**{ESCAPE: 1}),
    parameters_reversed=hyperparameters(**{"model::nlin": REVERSED}),
)


@trick(*PTMZ, "asks for 'eval|asks for '__builtin__")
def checkpoint_payload(folder: Path) -> None:
    torch_file(folder / RUN, pickled(folder))


@trick(*PTMZ, "holds no run with a checkpoint_NNNNNN/checkpoints")
def checkpoint_pipe(folder: Path) -> None:
    for run in ("a", "b"):
        pipe(f"{run}/checkpoint_000001/checkpoints")(folder)


# --- the layout modelzoo: preprocessed files of populations -----------------------------------------------------------

MODELZOO = "modelzoo", ZooFormatError
POPULATION = "dataset.pt"
each(
    *MODELZOO,
    "is no preprocessed file",
    population_payload=lambda folder: torch_file(folder / POPULATION, pickled(folder)),
    population_of_marks=lambda folder: torch_file(folder / POPULATION, b"\x80\x02" + b"(" * 12 * MEGABYTE),
    population_of_tuples=lambda folder: torch_file(folder / POPULATION, b"\x80\x02" + b")" * 12 * MEGABYTE),
    population_of_colliding_integers=lambda folder: torch_file(folder / POPULATION, colliding_integers(12_000)),
    population_name_that_takes_for_ever_to_hash=lambda folder: torch_file(folder / POPULATION, doubling_key()),
)
each(
    *MODELZOO,
    "has not a value a checkpoint|does not name an epoch|a path is none|holds no state dicts",
    population_properties=lambda folder: population(folder, properties={"seed": [0]}),
    population_epochs=lambda folder: population(folder, epochs=[0]),
    population_paths=lambda folder: population(folder, paths=[3, 4]),
    population_vectors=lambda folder: population(folder, data_in=[1, 2]),
)


@trick(*MODELZOO, "control characters")
def population_escape_code(folder: Path) -> None:
    properties = {"optim::lr": [0.1, 0.2], "model::dropout": [0.0, 0.1], "seed": [0, 0], "note": [ESCAPE, ESCAPE]}
    population(folder, properties=properties)


@trick(*MODELZOO, "unfolds from")
def population_bomb(folder: Path) -> None:
    raw_zip(folder / POPULATION, [("net/data.pkl", zeros(1024), 1024 * MEGABYTE)])


@trick(*MODELZOO, "holds neither runs")
def population_device(folder: Path) -> None:
    linked(POPULATION, "/dev/zero")(folder)


# --- the layout smallcnn ----------------------------------------------------------------------------------------------

SMALLCNN = "smallcnn", ZooFormatError
NAMES = "modeldir,step,train_fraction,learning_rate"
each(
    *SMALLCNN,
    "cannot be read as CSV in gzip: it has",
    metrics_of_columns=lambda folder: metrics(folder, "," * 2 * MEGABYTE),
    metrics_of_some_columns=lambda folder: metrics(folder, "," * 60_000 + "\n"),
    metrics_bomb=lambda folder: metrics(folder, NAMES, "\n1,1,1,1" * 2**17, 120),
    metrics_bomb_of_line_breaks=lambda folder: metrics(folder, NAMES, "\n" * MEGABYTE, 120),
    metrics_bomb_without_line_breaks=lambda folder: metrics(folder, NAMES, " " * MEGABYTE, 120),
)
each(
    *SMALLCNN,
    "cannot be read as CSV|control characters",
    metrics_escape_code=lambda folder: metrics(folder, f"{NAMES},note\nx,0,1,0.1,{ESCAPE}\ny,0,0.5,0.2,\n"),
    metrics_of_zeros=lambda folder: metrics(folder, NAMES, "\0" * MEGABYTE, 50),
    metrics_cut_short=lambda folder: (folder / "metrics.csv.gz").write_bytes(
        (folder / "metrics.csv.gz").read_bytes()[:-12]
    ),
    metrics_of_noise=lambda folder: (folder / "metrics.csv.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3\xff\xff"),
    layout_of_600_megabytes=padded("layout.csv", b"varname,start_idx,end_idx,shape\n", 600),
    layout_of_columns=text("layout.csv", "," * MEGABYTE),
    layout_escape_code=text("layout.csv", f"varname,start_idx,end_idx,shape\n{ESCAPE}/kernel:0,0,1,1\n"),
)
each(
    *SMALLCNN,
    "holds no file",
    **{
        f"small_cnns_{name.partition('.')[0]}_{kind}": make(name)
        for name in ("weights.npy", "metrics.csv.gz", "layout.csv")
        for kind, make in (
            ("pipe", pipe),
            ("device", lambda name: linked(name, "/dev/zero")),
            ("link", lambda name: linked(name, "../canary.txt")),
        )
    },
)
each(
    *SMALLCNN,
    "cannot be mapped as a plain array",
    npy_header_of_400_megabytes=lambda folder: announced_header(folder / "weights.npy", 400),
    npy_payload=lambda folder: np.save(
        folder / "weights.npy", np.array([[Payload(folder)]], dtype=object), allow_pickle=True
    ),
    npy_that_is_a_pickle=lambda folder: (folder / "weights.npy").write_bytes(pickled(folder)),
    npy_huge_shape=lambda folder: (folder / "weights.npy").write_bytes(
        npy(header=f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**40}, {2**20}), }}")
    ),
)

# --- exported zoos ----------------------------------------------------------------------------------------------------

TABLE = "table", ZooFormatError


def part_of_export(pattern: str, make: Callable[[str], Generator]) -> Generator:
    """A trick in the place of one of an exported zoo's matrices, or of what says which columns are which tensor."""
    return lambda folder: make(next(folder.glob(pattern)).name)(folder)


MATRICES = "*.npy"
LAYOUTS = "[!m]*.csv"  # all tables but the metadata
each(
    *TABLE,
    "is a link",
    **{
        f"export_{'matrix' if pattern == MATRICES else 'layout'}_{kind}": part_of_export(
            pattern, lambda name, target=target: linked(name, target)
        )
        for pattern in (MATRICES, LAYOUTS)
        for kind, target in (("link", "../canary.txt"), ("device", "/dev/zero"))
    },
)
each(
    *TABLE,
    "ordinary file",
    export_matrix_pipe=part_of_export(MATRICES, pipe),
    export_layout_pipe=part_of_export(LAYOUTS, pipe),
)
each(
    *TABLE,
    "cannot be mapped|cannot be read as CSV",
    export_matrix_header=part_of_export(MATRICES, lambda name: lambda folder: announced_header(folder / name, 400)),
    export_matrix_payload=part_of_export(
        MATRICES, lambda name: lambda folder: (folder / name).write_bytes(pickled(folder))
    ),
    export_layout_of_columns=part_of_export(LAYOUTS, lambda name: text(name, "," * MEGABYTE)),
    export_layout_of_600_megabytes=part_of_export(LAYOUTS, lambda name: padded(name, b"varname\n", 600)),
)


@trick("table", ZooFormatError, "is not the path of a shard")
def export_manifest_path_above(folder: Path) -> None:
    renamed_shard("../../canary.txt")(folder)


@trick(*TABLE, "control characters")
def export_card_escape_code(folder: Path) -> None:
    card_with("description", ESCAPE)(folder)
