"""Zoos of the hub in the cache on this machine: what is there was checked against the manifest before it came there."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from wslbench.datasets._places import CACHE_VARIABLE, cache_folder
from wslbench.errors import HubError, ZooDamagedError
from wslbench.hub.address import HubAddress, is_commit, parse_address
from wslbench.hub.repository import HubRepository, resolve
from wslbench.zoo import Zoo
from wslbench.zoo._header import MAX_HEADER_BYTES
from wslbench.zoo.atomic import write_text
from wslbench.zoo.documents import CARD, MANIFEST, read_manifest
from wslbench.zoo.hashing import hash_tensors
from wslbench.zoo.schema import Manifest
from wslbench.zoo.shards import map_file, stack_size
from wslbench.zoo.template import template

_MAX_TABLE_BYTES = 2**28
_TABLES = ("models.parquet", "pairs.parquet")
_STAGING = ".download"


def open_hub_zoo(text: str) -> Zoo:
    """Open ``hf://owner/name@revision``: its tables at once, its shards of weights when they are asked for.

    Raises
    ------
    ZooNotFoundError
        If the address is malformed.
    HubError
        If something is neither in the cache nor to be had from the hub.
    ZooError
        If what the hub has is no sound zoo; nothing of it is kept.
    """
    return CachedZoo.at(parse_address(text)).open()


@dataclass(frozen=True)
class CachedZoo:
    """The cache's folder of one zoo at one commit.

    Attributes
    ----------
    address
        With a commit as revision.
    folder
        A zoo's folder, which may lack shards; downloads under way stand in it, apart.
    """

    address: HubAddress
    folder: Path

    @classmethod
    def at(cls, address: HubAddress) -> CachedZoo:
        """The folder for an address; the hub is asked what a branch or tag means, unless it is told to be offline.

        Raises
        ------
        HubError
            If that cannot be found out.
        """
        root = cache_folder() / "zoos" / address.repository.replace("/", "--")
        if not address.is_pinned:
            address = _commit_of(address, root / "refs" / quote(address.revision, safe=""))
        return cls(address, root / address.revision)

    def open(self) -> Zoo:
        """The zoo, whose missing shards are fetched when they are asked for; raises as :func:`open_hub_zoo`."""
        if not (self.folder / MANIFEST).is_file():
            self._fetch_tables()
        return Zoo(self.folder, fetch=self.fetch_shard, origin=str(self.address))

    def fetch_shard(self, shard: str) -> None:
        """Fetch one shard, by its path in the manifest, unless it is there.

        Raises
        ------
        ZooDamagedError
            If it is not what the manifest says; it is not kept.
        HubError
            If it cannot be fetched, or the disk has no room for it.
        """
        entry = read_manifest(self.folder).weights.shards[shard]
        with self._staging() as staging:
            if (self.folder / shard).is_file():  # another process was faster
                return
            if shutil.disk_usage(staging).free < entry.bytes:
                raise HubError(
                    f"{shard} of {self.address} has {entry.bytes} bytes, for which {self.folder} has no room"
                )
            file = HubRepository(self.address).download(shard, staging, expected=entry.bytes)
            label = f"{shard} of {self.address}"
            tensors = map_file(file, label).tensors
            if stack_size(tensors, label) != entry.models or hash_tensors(tensors) != entry.hash:
                raise ZooDamagedError(f"{label} is damaged: its tensors are not those that the manifest describes")
            _move(file, self.folder / shard)

    def _fetch_tables(self) -> None:
        """Everything but the weights; the manifest comes into its place last, so that it stands for all of it."""
        repository = HubRepository(self.address)
        with self._staging() as staging:
            if (self.folder / MANIFEST).is_file():  # another process was faster
                return
            repository.download(MANIFEST, staging, limit=2**22)
            manifest = read_manifest(staging)
            splits = [f"splits/{protocol}.parquet" for protocol in manifest.splits]
            files = [*_TABLES, *splits, CARD]
            for file in files:
                repository.download(file, staging, limit=_MAX_TABLE_BYTES)
            zoo = Zoo(staging, fetch=lambda shard: None)
            _refuse_insane(zoo)
            assert len(zoo.table) + len(zoo.pairs) + sum(len(zoo.split(name).table) for name in manifest.splits) > 0
            for file in [*files, MANIFEST]:
                _move(staging / file, self.folder / file)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder for downloads, of one process at a time; kept where a connection broke, emptied after damage."""
        from filelock import FileLock

        staging = self.folder / _STAGING
        _make(staging)
        with FileLock(self.folder / ".lock"):
            try:
                yield staging
            except HubError:
                raise
            except BaseException as error:
                if isinstance(error, Exception):
                    shutil.rmtree(staging, ignore_errors=True)
                raise


def shards_of(manifest: Manifest) -> list[str]:
    """All shards that a manifest lists."""
    return sorted(manifest.weights.shards)


def _commit_of(address: HubAddress, remembered: Path) -> HubAddress:
    """What a branch or tag means: what the hub says, or said when it was last asked, where it may not be asked."""
    from huggingface_hub import constants

    known = remembered.read_text(encoding="utf-8").strip() if remembered.is_file() else ""
    if constants.HF_HUB_OFFLINE and is_commit(known):
        return HubAddress(address.repository, known)
    try:
        found = resolve(address)
    except HubError as error:
        if not is_commit(known):
            raise
        pinned = HubAddress(address.repository, known)
        raise HubError(f"{error}. The cache holds what it was when last asked: name {pinned}") from error
    _make(remembered.parent)
    write_text(remembered, found.revision)
    return found


def _refuse_insane(zoo: Zoo) -> None:
    """Refuse a manifest that lists more bytes than its networks have, before any of them is fetched.

    Raises
    ------
    ZooDamagedError
    """
    for shard, entry in zoo.manifest.weights.shards.items():
        stored = template(zoo.card.architectures[entry.architecture]).stored
        content = 4 * entry.models * sum(math.prod(shape) for shape in stored.values())
        if not content < entry.bytes <= content + MAX_HEADER_BYTES + 8:
            raise ZooDamagedError(
                f"the manifest lists {entry.bytes} bytes for {shard}, whose {entry.models} networks have {content}"
            )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HubError(
            f"the cache cannot be written: {folder}: {error.strerror}; set {CACHE_VARIABLE} to a folder that can"
        ) from error


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
