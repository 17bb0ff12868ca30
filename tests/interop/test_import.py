"""Importing folders of state dicts, against the very files that were imported."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

from tests.interop.controllers import ARCHITECTURE, OPTIONS, SHAPES, write_controllers
from wslbench.architectures import Architecture
from wslbench.errors import ZooDamagedError, ZooError, ZooFormatError
from wslbench.interop import export_zoo, import_zoo
from wslbench.interop.formats import FORMATS, ImportFormat, file_by_file
from wslbench.interop.listing import Listing
from wslbench.interop.tensors import read_tensors
from wslbench.zoo import ZooWriter, verify


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of state dicts."""
    return write_controllers(tmp_path / "source")


def test_every_weight_arrives_bit_for_bit(source: Path, tmp_path: Path) -> None:
    zoo = import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    assert verify(zoo) == []
    assert zoo.protocols == ["new-load", "new-temperature"]
    assert zoo.table["phase"].isna().all()
    files = dict(zip(zoo.table.index, zoo.table["file"], strict=True))
    assert len(files) == 12
    for model in zoo.models():
        path = source / files[model.id]
        if path.suffix == ".npz":
            expected = dict(np.load(path))
        elif path.suffix == ".pt":
            expected = {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
        else:
            expected = read_tensors(path)
        assert model.tensors().keys() == expected.keys()
        for name, tensor in model.tensors().items():
            assert tensor.tobytes() == expected[name].tobytes()


def test_an_interrupted_import_goes_on(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(path: Path, rounded: bool) -> dict[str, np.ndarray]:
        if len(read) == 5:
            raise KeyboardInterrupt
        read.append(path)
        return read_tensors(path)

    listing = FORMATS["state-dicts"].listing
    monkeypatch.setitem(FORMATS, "state-dicts", ImportFormat(listing, file_by_file(counted), ""))
    with pytest.raises(KeyboardInterrupt):
        import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    first = read.copy()
    monkeypatch.setitem(
        FORMATS,
        "state-dicts",
        ImportFormat(listing, file_by_file(lambda path, rounded: read.append(path) or read_tensors(path)), ""),
    )
    resumed = import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    assert len(first) == 5
    assert len(read) == len(set(read)) == 12
    monkeypatch.undo()
    assert resumed.versions == import_zoo(source, "state-dicts", tmp_path / "again", OPTIONS).versions


def test_what_changes_in_the_source_is_read_again_and_nothing_else(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "net11.safetensors").write_bytes(b"damaged")
    with pytest.raises(ZooFormatError, match=r"net11\.safetensors"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    zeros = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    save_file(zeros, source / "net11.safetensors")
    np.savez(source / "net3.npz", **zeros)
    rows = (source / "metadata.csv").read_text().splitlines()
    (source / "metadata.csv").write_text("\n".join(row for row in rows if not row.startswith("net5.")))
    read: list[str] = []
    reader = file_by_file(lambda path, rounded: read.append(path.name) or read_tensors(path))
    monkeypatch.setitem(FORMATS, "state-dicts", ImportFormat(FORMATS["state-dicts"].listing, reader, ""))
    zoo = import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    assert sorted(read) == ["net11.safetensors", "net3.npz"]
    assert len(zoo.table) == 11
    again = zoo.table.index[zoo.table["file"] == "net3.npz"]
    assert not any(tensor.any() for tensor in zoo.models(again)[0].tensors().values())
    ZooWriter(tmp_path / "other", {"imported_from": "elsewhere"})
    with pytest.raises(ZooError, match="another recipe"):
        import_zoo(source, "state-dicts", tmp_path / "other", OPTIONS)


def test_a_large_cell_comes_in_parts(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = pd.read_csv(source / "metadata.csv")["path"]
    pd.DataFrame({"path": files, "epoch": [0, 7] * 6, "a": 1, "b": 2}).to_csv(source / "metadata.csv", index=False)
    options = replace(OPTIONS, load="a", temperature="b")
    whole = import_zoo(source, "state-dicts", tmp_path / "whole", options)
    size = 4 * sum(int(np.prod(shape)) for shape in SHAPES.values())
    monkeypatch.setattr("wslbench.interop.parts.MOST_BYTES", 4 * size)
    read: list[str] = []

    def stopping(path: Path, rounded: bool) -> dict[str, np.ndarray]:
        if len(read) == 5:
            raise KeyboardInterrupt
        read.append(path.name)
        return read_tensors(path)

    sound = FORMATS["state-dicts"]
    monkeypatch.setitem(FORMATS, "state-dicts", ImportFormat(sound.listing, file_by_file(stopping), ""))
    with pytest.raises(KeyboardInterrupt):
        import_zoo(source, "state-dicts", tmp_path / "zoo", options)
    first, read[:] = read.copy(), []
    reader = file_by_file(lambda path, rounded: read.append(path.name) or read_tensors(path))
    monkeypatch.setitem(FORMATS, "state-dicts", ImportFormat(sound.listing, reader, ""))
    zoo = import_zoo(source, "state-dicts", tmp_path / "zoo", options)
    assert len(read) == 8  # the first part, of four, was there
    assert set(read).isdisjoint(first[:4])
    assert zoo.versions["weights"] == whole.versions["weights"]
    monkeypatch.undo()
    export_zoo(zoo, "table", tmp_path / "table")
    monkeypatch.setattr("wslbench.interop.parts.MOST_BYTES", 4 * size)
    assert import_zoo(tmp_path / "table", "table", tmp_path / "back", options).versions == zoo.versions


def test_memory_does_not_grow_with_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslbench.interop.parts.MOST_BYTES", 2**20)
    (tmp_path / "source").mkdir()
    np.savez(tmp_path / "source" / "net.npz", w=np.ones(2**16, np.float32))
    peaks = []
    for count in (1, 6, 30):  # the first makes the libraries ready
        for number in range(count):
            (tmp_path / "source" / f"{number}.npz").unlink(missing_ok=True)
            (tmp_path / "source" / f"{number}.npz").hardlink_to(tmp_path / "source" / "net.npz")
        table = pd.DataFrame({"file": [f"{number}.npz" for number in range(count)], "tau": 1, "previous_advisory": 1})
        table.to_csv(tmp_path / "source" / "metadata.csv", index=False)
        tracemalloc.start()
        import_zoo(tmp_path / "source", "state-dicts", tmp_path / str(count), replace(OPTIONS, architecture=None))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.3 * peaks[1]


def spoil(path: Path) -> None:
    """Make one weight of a network infinite, in whatever kind of file."""
    tensors = {name: value.copy() for name, value in read_tensors(path).items()}
    tensors["layers.1.weight"][0, 0] = np.inf
    if path.suffix == ".npz":
        np.savez(path, **tensors)
    elif path.suffix == ".pt":
        torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, path)
    else:
        save_file(tensors, path)


@pytest.mark.parametrize("known", [True, False])
def test_networks_that_diverged_are_left_out_and_named(known: bool, source: Path, tmp_path: Path) -> None:
    options = OPTIONS if known else replace(OPTIONS, architecture=None)
    table = pd.read_csv(source / "metadata.csv")
    for number in (2, 6, 7):
        spoil(source / table["path"][number])
    table.loc[5, ["previous_advisory", "tau"]] = table.loc[2, ["previous_advisory", "tau"]]  # an earlier epoch of it
    table["epoch"] = np.where(table.index == 5, 0, 9)
    table.to_csv(source / "metadata.csv", index=False)
    with pytest.raises(ZooFormatError, match=r"net2\.safetensors: tensor 'layers\.1\.weight' .* not finite"):
        import_zoo(source, "state-dicts", tmp_path / "strict", replace(options, strict=True))
    zoo = import_zoo(source, "state-dicts", tmp_path / "zoo", options)
    assert verify(zoo) == []
    assert len(zoo.table) == 9
    assert zoo.card.recipe["left_out"] == {
        "counts": {"not finite": 3},
        "names": dict.fromkeys(["net2.safetensors", "net6.npz", "net7.pt"], "not finite"),
    }
    flagged = zoo.table[zoo.table["unfinished"]]
    assert flagged["file"].tolist() == ["net5.safetensors"]
    assert flagged["diverged"].all()


def test_a_resumed_import_knows_what_it_had_left_out(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(source / "net0.npz")
    monkeypatch.setattr("wslbench.interop.importing.verify", lambda zoo: ["something"])
    with pytest.raises(ZooDamagedError, match="something"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    monkeypatch.undo()
    zoo = import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    assert list(zoo.card.recipe["left_out"]["names"]) == ["net0.npz"]


def test_nothing_finite_is_no_zoo(source: Path, tmp_path: Path) -> None:
    for name in pd.read_csv(source / "metadata.csv")["path"]:
        spoil(source / name)
    for options in (OPTIONS, replace(OPTIONS, architecture=None)):
        with pytest.raises(ZooFormatError, match="no network whose weights are finite"):
            import_zoo(source, "state-dicts", tmp_path / "zoo", options)


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_a_pickle_is_not_executed(suffix: str, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "executed",)

    path = tmp_path / f"net{suffix}"
    if suffix == ".pt":
        path.write_bytes(pickle.dumps(Payload()))
    else:
        np.savez(path, weight=np.array([Payload()], dtype=object))
    with pytest.raises(ZooFormatError):
        read_tensors(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([np.nan]), "not finite"),
        (np.array([0.1]), "exactly"),
        (np.array([1e300]), "exactly"),
        (np.array([1j]), "real numbers"),
    ],
)
def test_numbers_that_would_not_survive_are_refused(values: np.ndarray, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", weight=values)
    with pytest.raises(ZooFormatError, match=message):
        read_tensors(tmp_path / "net.npz")


@pytest.mark.parametrize("suffix", [".pt", ".npz", ".safetensors"])
def test_names_lose_what_a_wrapper_put_before_them(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    arrays = {"_orig_mod.module.a": np.ones(2, np.float32), "_orig_mod.module.b": np.zeros(3, np.float32)}
    if suffix == ".pt":
        torch.save({name: torch.from_numpy(values) for name, values in arrays.items()}, path)
    elif suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    assert sorted(read_tensors(path)) == ["a", "b"]


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("plain", [True, False])
def test_a_checkpoint_may_hold_more_than_the_state_dict(name: str, plain: bool, tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = (
        module.state_dict() if plain else {key: value.to(torch.bfloat16) for key, value in module.named_parameters()}
    )
    torch.save({"epoch": 3, name: state, "optimizer": optimizer.state_dict() if plain else None}, tmp_path / "net.pt")
    tensors = read_tensors(tmp_path / "net.pt")
    assert sorted(tensors) == ["bias", "weight"]
    assert np.array_equal(tensors["weight"], state["weight"].detach().float().numpy())


def test_two_state_dicts_in_one_file_are_refused(tmp_path: Path) -> None:
    state = torch.nn.Linear(2, 3).state_dict()
    torch.save({"state_dict": state, "model": state}, tmp_path / "net.pt")
    with pytest.raises(ZooFormatError, match="entry 'state_dict' of the state dict is no tensor"):
        read_tensors(tmp_path / "net.pt")


def test_numbers_are_rounded_where_that_is_asked_for(source: Path, tmp_path: Path) -> None:
    exact = dict(np.load(source / "net0.npz"))
    np.savez(source / "net0.npz", **{name: values.astype(np.float64) + 1e-9 for name, values in exact.items()})
    with pytest.raises(ZooFormatError, match=r"float32 cannot hold it exactly: have it rounded \(--round\)"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    zoo = import_zoo(source, "state-dicts", tmp_path / "zoo", replace(OPTIONS, rounded=True))
    assert zoo.card.recipe["rounded_to"] == "float32"
    (model,) = zoo.models(zoo.table.index[zoo.table["file"] == "net0.npz"])
    for name, values in np.load(source / "net0.npz").items():
        assert np.array_equal(model.tensors()[name], values.astype(np.float32))
    np.savez(tmp_path / "large.npz", w=np.array([1e300]))
    with pytest.raises(ZooFormatError, match="too large for float32"):
        read_tensors(tmp_path / "large.npz", rounded=True)


def test_a_file_outside_the_source_is_refused(source: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "outside.npz", weight=np.zeros(1))
    (source / "link.npz").symlink_to(tmp_path / "outside.npz")
    for name in ("../outside.npz", str(tmp_path / "outside.npz"), "link.npz"):
        (source / "metadata.csv").write_text(f"file,tau,previous_advisory\n{name},1,1\n")
        with pytest.raises(ZooFormatError, match="outside"):
            import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)


@pytest.mark.parametrize("name", ["../outside.npz", "link.npz", "link/outside.npz"])
def test_no_reader_leads_outside(name: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "outside.npz", weight=np.zeros(1))
    (source / "link.npz").symlink_to(tmp_path / "outside.npz")
    (source / "link").symlink_to(tmp_path)
    table = pd.DataFrame({"file": [name], "tau": [1], "previous_advisory": [1]})
    reading = FORMATS["state-dicts"].read
    monkeypatch.setitem(FORMATS, "ptmz", ImportFormat(lambda source, options: Listing(table), reading, ""))
    with pytest.raises(ZooFormatError, match="outside"):
        import_zoo(source, "ptmz", tmp_path / "zoo", OPTIONS)


def test_what_a_zoo_cannot_hold_is_refused_before_a_weight_is_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(source / "metadata.csv").rename(columns={"path": "file"})
    read: list[object] = []
    for spoiled in (table.assign(note="\x1b[2J"), table.rename(columns={"score": "\x1b[2J"})):
        listing = Listing(spoiled)
        reader = ImportFormat(lambda source, options, listing=listing: listing, lambda *asked: read.append(asked), "")
        monkeypatch.setitem(FORMATS, "ptmz", reader)
        with pytest.raises(ZooFormatError, match="control characters"):
            import_zoo(source, "ptmz", tmp_path / "zoo", OPTIONS)
    assert read == []


def test_values_of_several_kinds_become_text(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.read_csv(source / "metadata.csv").rename(columns={"path": "file"})
    table["mixed"] = pd.Series(["auto", 0.5, True, None] * 3, dtype=object)
    reading = FORMATS["state-dicts"].read
    monkeypatch.setitem(FORMATS, "ptmz", ImportFormat(lambda source, options: Listing(table), reading, ""))
    zoo = import_zoo(source, "ptmz", tmp_path / "zoo", OPTIONS)
    found = zoo.table.set_index("file")["mixed"]
    assert found[table["file"][:3]].tolist() == ["auto", "0.5", "True"]
    assert found[table["file"][3::4]].isna().all()


def test_an_unsound_import_does_not_stay(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslbench.interop.importing.verify", lambda zoo: ["something"])
    with pytest.raises(ZooDamagedError, match="not sound, and not kept: something"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)
    assert not (tmp_path / "zoo").exists()
    monkeypatch.undo()
    assert verify(import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)) == []


def test_a_second_column_named_file_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "metadata.csv").write_text("path,file,tau,previous_advisory\nnet0.npz,x,1,1\n")
    with pytest.raises(ZooFormatError, match="'file' behind its first"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", OPTIONS)


def test_wrong_options_are_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooFormatError, match="unknown import format 'nonsense': there are modelzoo, ptmz, smallcnn, "):
        import_zoo(source, "nonsense", tmp_path / "zoo", OPTIONS)
    with pytest.raises(ZooFormatError, match="no column 'width'"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", replace(OPTIONS, load="width"))
    metadata = source / "metadata.csv"
    metadata.write_text(metadata.read_text().replace("tau", "run"))
    with pytest.raises(ZooFormatError, match="'run' has a name that splits use for themselves"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", replace(OPTIONS, load="run"))
    metadata.write_text(metadata.read_text().replace("run", "tau"))
    wider = Architecture(builder="mlp", arguments={**ARCHITECTURE.arguments, "hidden": [7, 6]})
    with pytest.raises(ZooFormatError, match=r"layers\.0\.weight.*\(7, 5\).*\(6, 5\)"):
        import_zoo(source, "state-dicts", tmp_path / "zoo", replace(OPTIONS, architecture=wider))
