"""Zoos opened from the hub: what is fetched, when, and what is refused on the way."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

import wslbench
from tests.hub.conftest import REPOSITORY
from tests.hub.loopback_hub import Store
from wslbench.errors import HubError, WslbenchError, ZooDamagedError, ZooFormatError, ZooNotFoundError
from wslbench.evaluation.environment import environment
from wslbench.hub import HubAddress, parse_address
from wslbench.zoo import Zoo, verify

TABLES = [
    "manifest.json",
    "models.parquet",
    "pairs.parquet",
    "splits/new-load.parquet",
    "splits/new-phase.parquet",
    "splits/new-temperature.parquet",
    "splits/phase-stratified.parquet",
    "splits/within-cell-seeds.parquet",
    "zoo.yaml",
]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library try again at once, and keep what came piece by piece."""
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)


def kept(tmp_path: Path) -> list[str]:
    """Every file of a zoo that the cache holds, by its path in the zoo."""
    folders = (tmp_path / "cache" / "zoos").glob("*/" + "[0-9a-f]" * 40)
    files = [path.relative_to(folder) for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in files if path.parts[0] not in (".lock", ".download"))


def test_tables_come_at_once_and_shards_when_they_are_asked_for(
    hub: Store, built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    commit = hub.branches[REPOSITORY, "main"]
    assert zoo.origin == f"hf://{REPOSITORY}@{commit}"
    assert environment(zoos=[zoo])[f"zoo {zoo.name}"] == zoo.origin
    assert sorted(set(hub.downloads())) == sorted(set(TABLES) & set(hub.commits[REPOSITORY, commit]))
    hub.seen.clear()
    measured = zoo.models(zoo.table.query("measured and width == 2").index)
    here = Zoo(built_tiny_zoo)
    for model in measured:
        for name, tensor in here.models([model.id])[0].tensors().items():
            assert model.tensors()[name].tobytes() == tensor.tobytes()
    assert hub.downloads() == ["weights/w2/10-0.safetensors"]
    assert not any(path.is_symlink() for path in (tmp_path / "cache").rglob("*"))

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.seen.clear()
    again = wslbench.load_zoo(f"hf://{REPOSITORY}")  # what the branch meant is remembered
    assert again.origin == zoo.origin
    assert again.models(measured.ids)[0].tensors().keys() == measured[0].tensors().keys()
    with pytest.raises(HubError, match=r"weights/w\d/\d+-0\.safetensors .* HF_HUB_OFFLINE is set"):
        verify(again)
    assert hub.seen == []


def test_a_pinned_revision_stays_what_it_was(hub: Store) -> None:
    first = hub.branches[REPOSITORY, "main"]
    hub.commit(REPOSITORY, {"zoo.yaml": b"another"})
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}@{first}")
    assert zoo.origin == f"hf://{REPOSITORY}@{first}"
    assert not any("/revision/" in path for _, path, _ in hub.seen)
    hub.seen.clear()
    wslbench.load_zoo(f"hf://{REPOSITORY}@{first}")
    assert hub.seen == []


@pytest.mark.usefixtures("no_waiting")
def test_a_broken_connection_goes_on_where_it_was(hub: Store) -> None:
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    shard = "weights/w2/10-0.safetensors"
    hub.break_after[shard] = [5000, 3000]
    zoo.map_shard(shard)
    asked = [span for method, path, span in hub.seen if method == "GET" and path.endswith(shard)]
    assert asked == ["", "bytes=4096-", "bytes=6144-"]
    assert verify(zoo) == []


@pytest.mark.usefixtures("no_waiting")
def test_a_later_call_goes_on_where_a_connection_failed_for_good(hub: Store, tmp_path: Path) -> None:
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    shard = "weights/w2/10-0.safetensors"
    hub.break_after[shard] = [2500, *[0] * 6]
    with pytest.raises(HubError, match="cannot be had from the hub"):
        zoo.map_shard(shard)
    assert shard not in kept(tmp_path)
    hub.seen.clear()
    hub.break_after.clear()
    wslbench.load_zoo(f"hf://{REPOSITORY}").map_shard(shard)
    assert [span for method, path, span in hub.seen if method == "GET" and path.endswith(shard)] == ["bytes=2048-"]


@pytest.mark.usefixtures("no_waiting")
def test_the_token_is_for_the_hub_alone(hub: Store) -> None:
    hub.in_storage = True
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    shard = "weights/w2/10-0.safetensors"
    path = f"/storage/{REPOSITORY}/{hub.branches[REPOSITORY, 'main']}/{shard}"
    hub.break_after[shard] = [5000]
    zoo.map_shard(shard)
    assert [span for _, seen, span in hub.seen if seen == path] == ["", "bytes=4096-"]
    assert hub.tokens  # sent where it belongs
    assert not any(seen.startswith("/storage") for seen in hub.tokens)


def test_a_wrong_hash_is_refused_and_not_kept(hub: Store, tmp_path: Path) -> None:
    files = hub.commits[REPOSITORY, hub.branches[REPOSITORY, "main"]]
    shard = "weights/w3/2-0.safetensors"
    true, content = files[shard], bytearray(files[shard])
    content[-1] ^= 1
    files[shard] = bytes(content)
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    before = kept(tmp_path)
    with pytest.raises(ZooDamagedError, match=r"w3/2-0\.safetensors of hf://.* not those that the manifest describes"):
        zoo.map_shard(shard)
    assert kept(tmp_path) == before
    files[shard] = true
    zoo.map_shard(shard)
    assert verify(zoo) == []


@pytest.mark.parametrize("file", ["zoo.yaml", "models.parquet", "pairs.parquet", "splits/new-load.parquet"])
def test_tables_that_are_not_the_announced_ones_leave_nothing_behind(file: str, hub: Store, tmp_path: Path) -> None:
    files = hub.commits[REPOSITORY, hub.branches[REPOSITORY, "main"]]
    other = files["splits/new-temperature.parquet" if file.startswith("splits") else "manifest.json"]
    files[file] = files[file].replace(b"MIT", b"GPL") if file == "zoo.yaml" else other
    with pytest.raises(WslbenchError, match=rf"{file} .*(not the one that the manifest describes|parquet)"):
        wslbench.load_zoo(f"hf://{REPOSITORY}")
    assert kept(tmp_path) == []


def test_sizes_are_judged_before_anything_comes(hub: Store, tmp_path: Path) -> None:
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    shard = "weights/w2/2-0.safetensors"
    hub.announced[shard] = 10**15
    with pytest.raises(ZooDamagedError, match="has 1000000000000000 bytes on the hub, and the manifest says"):
        zoo.map_shard(shard)
    assert shard not in hub.downloads()
    hub.announced["models.parquet"] = 10**12
    other = hub.commit(REPOSITORY, hub.commits[REPOSITORY, hub.branches[REPOSITORY, "main"]])
    with pytest.raises(ZooDamagedError, match=r"models\.parquet .* more than the"):
        wslbench.load_zoo(f"hf://{REPOSITORY}@{other}")


def test_a_file_longer_than_announced_is_refused(hub: Store, tmp_path: Path) -> None:
    files = hub.commits[REPOSITORY, hub.branches[REPOSITORY, "main"]]
    shard = "weights/w2/2-0.safetensors"
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    hub.announced[shard] = len(files[shard])
    files[shard] += bytes(4096)
    with pytest.raises(ZooDamagedError, match=r"w2/2-0\.safetensors .* is longer than the \d+ bytes"):
        zoo.map_shard(shard)
    assert shard not in kept(tmp_path)


def test_manifests_that_no_zoo_has_are_refused(hub: Store, tmp_path: Path) -> None:
    files = hub.commits[REPOSITORY, hub.branches[REPOSITORY, "main"]]
    manifest = json.loads(files["manifest.json"])

    def changed(**shard: object) -> bytes:
        shards = {path: {**entry, **shard} for path, entry in manifest["weights"]["shards"].items()}
        return json.dumps({**manifest, "weights": {**manifest["weights"], "shards": shards}}).encode()

    files["manifest.json"] = changed(bytes=10**15)
    with pytest.raises(ZooDamagedError, match="lists 1000000000000000 bytes for weights/w"):
        wslbench.load_zoo(f"hf://{REPOSITORY}")
    for path in ("../../../canary", "/etc/passwd", "weights/w2/../../../../0-0.safetensors"):
        (entry, *_) = manifest["weights"]["shards"].values()
        content = {**manifest, "weights": {**manifest["weights"], "shards": {path: entry}}}
        files["manifest.json"] = json.dumps(content).encode()
        with pytest.raises(ZooFormatError, match="is not the path of a shard"):
            wslbench.load_zoo(f"hf://{REPOSITORY}")
    files["manifest.json"] = bytes(5 * 2**20)
    with pytest.raises(ZooDamagedError, match="more than the"):
        wslbench.load_zoo(f"hf://{REPOSITORY}")
    assert kept(tmp_path) == []


def test_what_is_not_there_is_said(hub: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError, match="no such repository"):
        wslbench.load_zoo("hf://someone/nothing")
    commit = hub.commit("someone/other", {"README.md": b""})
    with pytest.raises(HubError, match=r"manifest\.json of .* no longer has that file"):
        wslbench.load_zoo(f"hf://someone/other@{commit}")
    hub.branches[REPOSITORY, "odd"] = "../../canary"
    hub.commits[REPOSITORY, "../../canary"] = {}
    with pytest.raises(HubError, match="names no commit"):
        wslbench.load_zoo(f"hf://{REPOSITORY}@odd")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set, and the cache on this machine does not hold it"):
        wslbench.load_zoo(f"hf://{REPOSITORY}")


def test_an_unreachable_hub_says_what_the_cache_has(hub: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = wslbench.load_zoo(f"hf://{REPOSITORY}")
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(HubError, match=f"The cache holds what it was when last asked: name {zoo.origin}"):
            wslbench.load_zoo(f"hf://{REPOSITORY}")
        assert zoo.origin is not None
        assert wslbench.load_zoo(zoo.origin).origin == zoo.origin


def test_a_cache_that_cannot_be_written_is_said(hub: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WSLBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(HubError, match=r"the cache cannot be written: .* set WSLBENCH_CACHE"):
        wslbench.load_zoo(f"hf://{REPOSITORY}")


def test_addresses() -> None:
    assert parse_address("hf://a/b") == parse_address("a/b") == HubAddress("a/b", "main")
    assert str(parse_address("hf://a.b/c_d-e@refs/pr/1")) == "hf://a.b/c_d-e@refs/pr/1"
    assert parse_address(f"a/b@{'0' * 40}").is_pinned
    for text in ("hf://a", "hf://a/b/c", "hf://../b", "hf://a/..", "hf://a/b@", "hf://a/b@../x", "hf://a/b@/x",
                 "hf://a/b@x/..", "hf://a/b\n", "hf://a/\x1b", "hf://-a/b", "hf://a--b/c",
                 f"hf://a/{'b' * 200}"):  # fmt: skip
        with pytest.raises(ZooNotFoundError, match="is no zoo on the hub"):
            parse_address(text)
