"""Zoo: a folder in the zoo format, read lazily and checked where it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import SplitError, ZooDamagedError, ZooError, ZooFormatError
from wslbench.zoo.documents import CARD, MANIFEST, read_card, read_manifest
from wslbench.zoo.hashing import combine_annotations, hash_json, hash_rows, hash_shards
from wslbench.zoo.models import FloatArray, IntArray, Models, Source
from wslbench.zoo.schema import shard_number
from wslbench.zoo.seal import refuse_embedded, refuse_hidden
from wslbench.zoo.shards import map_file, stack_size
from wslbench.zoo.splits import Split, read_split
from wslbench.zoo.tables import MODEL_COLUMNS, PAIR_COLUMNS, read_table


class Versions(TypedDict):
    """Hashes that name a zoo's content."""

    weights: str
    annotations: str


class Zoo:
    """A population of trained networks with metadata.

    Opening reads ``manifest.json`` and ``zoo.yaml`` and compares the sizes of shards; the tables are read, and
    compared with their hashes, when first asked for; weights are mapped, never copied. :func:`wslbench.zoo.verify`
    hashes the weights, too.

    Parameters
    ----------
    path
        The zoo's folder.
    fetch
        Called with the path of a shard (as the manifest has it) that is asked for and not there; puts it there. None:
        all shards have to be there from the start.
    origin
        Where the zoo comes from and in which revision, for results to name; None: from this machine.

    Raises
    ------
    ZooDamagedError
        If a file is missing, cut short, or not the one that the manifest describes.
    ZooVersionError
        If the zoo is of a newer format version.
    ZooFormatError
        If the manifest or the card is malformed.
    SealedError
        If a method asks, inside an evaluation, for an embedded zoo or the one under evaluation.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fetch: Callable[[str], object] | None = None,
        origin: str | None = None,
    ) -> None:
        path = Path(path).absolute()  # what is read later must not depend on the working directory
        refuse_embedded(path)
        self.path = path
        self.origin = origin
        self._fetch = fetch
        self.manifest = read_manifest(path)
        refuse_hidden(self.manifest.weights.hash)
        self.card = read_card(path)
        if hash_json(self.card.content()) != self.manifest.annotations.card:
            raise ZooDamagedError(f"{path / CARD} is not the one that the manifest describes")
        self._check_manifest()
        for shard, entry in self.manifest.weights.shards.items():
            if entry.architecture not in self.card.architectures:
                raise ZooFormatError(
                    f"{path / shard} holds architecture {entry.architecture!r}, which {CARD} does not describe"
                )
            if fetch is None or (path / shard).exists():
                self._check_file(shard, entry.bytes)

    def _check_manifest(self) -> None:
        weights, annotations = self.manifest.weights, self.manifest.annotations
        together = combine_annotations(annotations.card, annotations.models, annotations.pairs)
        if hash_shards(weights.shards) != weights.hash or together != annotations.hash:
            raise ZooDamagedError(
                f"{self.path / MANIFEST} contradicts itself: its hashes do not follow from their parts"
            )

    def _check_file(self, shard: str, expected: int) -> None:
        file = self.path / shard
        if not file.is_file():
            raise ZooDamagedError(f"{file} is missing")
        if not file.resolve().is_relative_to(self.path.resolve()):
            raise ZooDamagedError(f"{file} is a link out of the zoo's folder; a zoo holds its own files")
        size = file.stat().st_size
        if size != expected:
            raise ZooDamagedError(f"{file} is damaged: it has {size} bytes, the manifest says {expected}")

    @property
    def name(self) -> str:
        """The zoo's name."""
        return self.card.name

    @property
    def versions(self) -> Versions:
        """Hashes of weights and annotations."""
        return Versions(weights=self.manifest.weights.hash, annotations=self.manifest.annotations.hash)

    @property
    def protocols(self) -> list[str]:
        """Names of the committed splits."""
        return sorted(self.manifest.splits)

    @property
    def table(self) -> pd.DataFrame:
        """A row a checkpoint, indexed by ``model_id``; a copy that is the caller's to change."""
        return self._table.copy()

    @property
    def pairs(self) -> pd.DataFrame:
        """A row a pair of seeds of a cell, with what was measured between them; a copy."""
        return self._pairs.copy()

    @property
    def cells(self) -> pd.DataFrame:
        """A row a cell: its measured checkpoints, averaged over seeds; a copy.

        Columns that do not vary within any cell are kept as they are, other numbers are averaged, other text
        is left out, as is what belongs to one checkpoint (seed, run, place in a shard). ``runs`` counts seeds.
        """
        return self._cells.copy()

    def split(self, protocol: str) -> Split:
        """The committed split of a protocol, checked against its hash and the zoo's table.

        Raises
        ------
        SplitError
            If there is no such split, or it would leak.
        ZooDamagedError
            If the file is not the one that the manifest describes.
        """
        if protocol not in self.manifest.splits:
            known = ", ".join(self.protocols) or "none"
            raise SplitError(f"zoo {self.name!r} has no split {protocol!r}; it has: {known}")
        path = self.path / "splits" / f"{protocol}.parquet"
        split = read_split(path, str(path))
        if split.protocol != protocol or split.hash != self.manifest.splits[protocol]:
            raise ZooDamagedError(f"{path} is not the one that the manifest describes")
        split.validate_against(self._table)
        return split

    def models(self, index: Iterable[str] | None = None) -> Models:
        """Select checkpoints, in the order given, without reading any weight.

        Parameters
        ----------
        index
            Values of ``model_id``, such as ``zoo.table.query("epoch == 40").index``; None: all, in the
            table's order.

        Raises
        ------
        ZooError
            If there is no checkpoint of such an id.
        """
        if index is None:
            positions = np.arange(len(self._table), dtype=np.intp)
        else:
            wanted = np.array(list(index), dtype=object)
            positions = self._table.index.get_indexer(pd.Index(wanted, dtype=object)).astype(np.intp)
            if np.any(positions < 0):
                stranger = wanted[np.flatnonzero(positions < 0)[0]]
                raise ZooError(
                    f"zoo {self.name!r} has no checkpoint with model_id {stranger!r}; select with `zoo.table.index`"
                )
        which, rows = self._places
        return Models(self._ids[positions], self._sources, which[positions], rows[positions])

    @cached_property
    def _table(self) -> pd.DataFrame:
        path = self.path / "models.parquet"
        table, _ = read_table(path, MODEL_COLUMNS, str(path))
        if hash_rows(table.drop(columns=["shard", "row"]), ["model_id"]) != self.manifest.annotations.models:
            raise ZooDamagedError(f"{path} is not the one that the manifest describes")
        self._check_places(table, path)
        return table.set_index("model_id")

    def _check_places(self, table: pd.DataFrame, path: Path) -> None:
        """Check that ids alone decide where a model stands: neither hash covers the columns ``shard`` and ``row``."""
        shards = self.manifest.weights.shards
        held = dict(list(table.sort_values("row").groupby("shard")))
        if held.keys() != shards.keys() or table["shard"].isna().any():
            raise ZooFormatError(f"{path} and {MANIFEST} do not name the same shards")
        last_id: dict[tuple[str, int], str] = {}
        for shard, entry in sorted(shards.items(), key=lambda item: shard_number(item[0])):
            rows = held[shard]
            group = entry.architecture, entry.epoch
            ids = np.array([last_id.get(group, ""), *rows["model_id"]], dtype=object)
            last_id[group] = ids[-1]
            if (
                not np.array_equal(rows["row"], np.arange(entry.models))
                or not np.all(ids[:-1] < ids[1:])
                or not (rows["architecture"] == entry.architecture).all()
                or not (rows["epoch"] == entry.epoch).all()
            ):
                raise ZooFormatError(
                    f"{path}: the rows of {shard} are not {entry.models} checkpoints of architecture "
                    f"{entry.architecture!r} at epoch {entry.epoch} in order of their ids"
                )
        if table["model_id"].duplicated().any():
            raise ZooFormatError(f"{path} has a model_id twice")

    @cached_property
    def _pairs(self) -> pd.DataFrame:
        path = self.path / "pairs.parquet"
        pairs, _ = read_table(path, PAIR_COLUMNS, str(path))
        if hash_rows(pairs, PAIR_COLUMNS) != self.manifest.annotations.pairs:
            raise ZooDamagedError(f"{path} is not the one that the manifest describes")
        return pairs

    @cached_property
    def _cells(self) -> pd.DataFrame:
        measured = self._table[self._table["measured"].to_numpy(dtype=bool)]
        return cell_means(measured.drop(columns=["seed", "run_id", "shard", "row"]))

    @cached_property
    def _ids(self) -> npt.NDArray[np.object_]:
        ids: npt.NDArray[np.object_] = self._table.index.to_numpy(dtype=object)
        return ids

    @cached_property
    def _sources(self) -> list[Source]:
        return [
            Source(entry.architecture, self.card.architectures[entry.architecture], partial(self.map_shard, shard))
            for shard, entry in self.manifest.weights.shards.items()
        ]

    @cached_property
    def _places(self) -> tuple[IntArray, IntArray]:
        order = {shard: number for number, shard in enumerate(self.manifest.weights.shards)}
        which = self._table["shard"].map(order)
        return np.asarray(which, np.intp), np.asarray(self._table["row"], np.intp)

    def map_shard(self, shard: str) -> dict[str, FloatArray]:
        """The tensors of one shard, mapped read-only, by name; fetched first, where the zoo can.

        Raises
        ------
        ZooDamagedError
            If the file's header is wrong or it holds another number of models than the manifest says.
        """
        label = str(self.path / shard)
        if self._fetch is not None and not (self.path / shard).exists():
            self._fetch(shard)
            self._check_file(shard, self.manifest.weights.shards[shard].bytes)
        tensors = map_file(self.path / shard, label).tensors
        expected = self.manifest.weights.shards[shard].models
        if stack_size(tensors, label) != expected:
            raise ZooDamagedError(f"{label} is damaged: it does not hold {expected} models")
        return tensors

    def __repr__(self) -> str:
        return f"Zoo({self.name!r}, {sum(entry.models for entry in self.manifest.weights.shards.values())} checkpoints)"


def cell_means(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a cell, in order of ``cell_id``: constant columns kept, other numbers averaged, other text left out."""
    grouped = rows.groupby("cell_id", sort=True)
    constant = (grouped.nunique(dropna=False) <= 1).all()
    first = rows.drop_duplicates("cell_id").set_index("cell_id").sort_index()
    cells = pd.DataFrame({"runs": grouped.size()})
    for column in first.columns:
        if constant[column]:
            cells[column] = first[column]
        elif pd.api.types.is_numeric_dtype(rows[column]):
            cells[column] = grouped[column].mean()
    return cells.reset_index()
