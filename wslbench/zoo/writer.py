"""Writing a zoo: cells are staged as they finish, then compacted at one stroke; or weights are streamed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wslbench.errors import ZooError
from wslbench.full_disk import naming
from wslbench.zoo.atomic import clear_leftovers, new_folder
from wslbench.zoo.compaction import check_card, compact_weights, write_annotations
from wslbench.zoo.exchange import exchange
from wslbench.zoo.models import FloatArray
from wslbench.zoo.reader import Zoo
from wslbench.zoo.schema import ZooCard
from wslbench.zoo.splits import Split
from wslbench.zoo.staging import StagedCell, Staging
from wslbench.zoo.weight_sources import MakeBlocks, StagedWeights, StreamedWeights

_STREAMED = ".streamed"  # no name of a cell begins with a dot


class ZooWriter:
    """Grows a zoo at ``destination``, staging cells in ``<destination>.partial`` beside it.

    Parameters
    ----------
    destination
        Where the zoo will stand; must be absent or an empty folder.
    recipe
        JSON-like description of what is grown. A staging folder is resumed by the same recipe alone.

    Raises
    ------
    ZooError
        If the destination is taken, or its staging folder was begun with another recipe.
    """

    def __init__(self, destination: Path, recipe: Mapping[str, Any]) -> None:
        self.destination = Path(destination)
        self._refuse_taken()
        self._staging = Staging(_staging_folder(self.destination), recipe)

    @staticmethod
    def finished(destination: Path, recipe: Mapping[str, Any]) -> Zoo | None:
        """The zoo of a writer of this recipe that was killed when only its staging folder was left to be removed.

        It is removed now. None where there is no such zoo.
        """
        clear_leftovers(_staging_folder(destination))
        behind = Staging.behind(_staging_folder(destination), recipe)
        if behind is None:
            return None
        staging, weights = behind
        try:
            zoo = Zoo(destination)
        except ZooError:
            return None
        if zoo.versions["weights"] != weights:
            return None
        staging.remove()
        return zoo

    def _refuse_taken(self) -> None:
        if self.destination.exists() and not (self.destination.is_dir() and not any(self.destination.iterdir())):
            raise ZooError(f"{self.destination} exists already: remove it, or choose another destination")

    def staged(self) -> set[str]:
        """What is staged; see :meth:`Staging.staged`."""
        return self._staging.staged()

    def keep_only(self, names: Collection[str]) -> None:
        """Remove what is staged under other names."""
        self._staging.keep_only(names)

    def stage(
        self,
        cell_id: str,
        rows: pd.DataFrame,
        weights: Mapping[int, Mapping[str, FloatArray]],
        pairs: pd.DataFrame,
        part: str | None = None,
    ) -> None:
        """Store a finished cell, or a part of it; see :meth:`Staging.stage`."""
        self._staging.stage(cell_id, rows, weights, pairs, part)

    def staged_rows(self, name: str) -> pd.DataFrame:
        """The rows that are staged of a cell, or of a part of one; see :meth:`Staging.read_rows`."""
        return self._staging.read_rows(name)

    def read_staged(self, cell_id: str) -> StagedCell:
        """What is staged of a cell; see :meth:`Staging.read`."""
        return self._staging.read(cell_id)

    def compact(
        self,
        card: ZooCard,
        table: pd.DataFrame,
        pairs: pd.DataFrame,
        splits: Sequence[Split],
        check: Callable[[Zoo], object] = lambda zoo: None,
    ) -> Zoo:
        """Write the zoo from what is staged, all at once, and drop the staging folder.

        Parameters
        ----------
        card
            The zoo's card.
        table
            A row a checkpoint, as ``models.parquet`` will hold it but for ``model_id``, ``shard`` and ``row``, which
            are computed (``run_id`` too, where it is absent). Staged checkpoints that it does not list are left out.
        pairs
            A row a pair of seeds.
        splits
            One a protocol, each validated against the table.
        check
            Called with the zoo before it takes its place; what it raises keeps it from there.

        Returns
        -------
        Zoo
            The finished zoo.

        Raises
        ------
        ZooError
            If the table lists a checkpoint that is not staged, weights are not those of their architecture, or a
            split does not fit; nothing is then written, and everything stays staged.
        """
        self._refuse_taken()
        check_card(card, table)
        # Inside the staging folder, so that what a killed compaction leaves goes away with it.
        with new_folder(self.destination, inside=self._staging.folder) as folder:
            placed, weights = compact_weights(folder, card, table, StagedWeights(self._staging, table))
            write_annotations(folder, card, placed, pairs, splits, weights)
            check(Zoo(folder))
            self._staging.note_zoo(weights.hash)
        self._staging.remove()
        return Zoo(self.destination)

    def stream(
        self, card: ZooCard, table: pd.DataFrame, pairs: pd.DataFrame, splits: Sequence[Split], weights: MakeBlocks
    ) -> Zoo:
        """Write the zoo from weights that are made as they are written; no cell is staged, and no tensor held whole.

        A killed call leaves the shards that it has finished in the staging folder, and the next one goes on from there.

        Parameters
        ----------
        card, table, pairs, splits
            As for :meth:`compact`.
        weights
            Makes a shard's tensor, block by block; the same whenever it is asked, as the recipe says it all.

        Returns
        -------
        Zoo
            The finished zoo.

        Raises
        ------
        ZooError
            If the destination is taken meanwhile, or card, table and splits do not fit each other.
        """
        self._refuse_taken()
        check_card(card, table)
        folder = self._staging.folder / _STREAMED
        folder.mkdir(exist_ok=True)
        for unfinished in folder.rglob(".*"):  # what a killed call was writing; it would be in the zoo to stay
            unfinished.unlink()
        shutil.rmtree(folder / "splits", ignore_errors=True)
        placed, entry = compact_weights(folder, card, table, StreamedWeights(weights))
        write_annotations(folder, card, placed, pairs, splits, entry)
        self._staging.note_zoo(entry.hash)
        folder.rename(self.destination)
        self._staging.remove()
        return Zoo(self.destination)


def _staging_folder(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.partial")


def rewrite_annotations(
    zoo_path: Path, card: ZooCard, table: pd.DataFrame, pairs: pd.DataFrame, splits: Sequence[Split]
) -> Zoo:
    """Replace a zoo's card, tables and splits; its weights stay the very same files.

    The annotation version becomes the old one plus one, whatever the card says. The new zoo is put together in
    a folder beside the old one, out of links to its shards, and the two change places: whoever opens the zoo finds the
    old one or the new one. (Where the file system cannot exchange folders there is a moment without a zoo; a process
    that is killed in it leaves one for :func:`recover` to put back.)

    Parameters
    ----------
    zoo_path
        The zoo's folder.
    card, table, pairs, splits
        As for :meth:`ZooWriter.compact`; the table lists exactly the zoo's checkpoints, by ``cell_id``, ``seed`` and
        ``epoch``.

    Raises
    ------
    ZooError
        If the table does not list the zoo's checkpoints, or a split does not fit; the zoo then stays as it was.
    """
    zoo_path = Path(zoo_path)
    recover(zoo_path)
    zoo = Zoo(zoo_path)
    card = card.model_copy(update={"annotation_version": zoo.card.annotation_version + 1})
    check_card(card, table)
    placed = _place_again(zoo, table)
    fresh = _fresh(zoo_path)
    with naming(zoo_path):
        try:
            fresh.mkdir()
            for shard in zoo.manifest.weights.shards:
                (fresh / shard).parent.mkdir(parents=True, exist_ok=True)
                _link(zoo_path / shard, fresh / shard)
            write_annotations(fresh, card, placed, pairs, splits, zoo.manifest.weights)
            fresh.chmod(zoo_path.stat().st_mode)
            if not exchange(fresh, zoo_path):
                _replace(fresh, zoo_path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)  # after the exchange: the old zoo
    return Zoo(zoo_path)


def is_displaced(zoo_path: Path) -> bool:
    """Whether a zoo waits to be put back by :func:`recover`."""
    return not zoo_path.exists() and _former(zoo_path).exists()


def recover(zoo_path: Path) -> None:
    """Put a zoo back in its place whose annotations were being replaced by a killed process; clear away what it left.

    Only for who alone writes the zoo: see :func:`~wslbench.zoo.sole_writer.sole_writer`.
    """
    if is_displaced(zoo_path):
        _former(zoo_path).rename(zoo_path)
    for leftover in (_former(zoo_path), _fresh(zoo_path)):
        if leftover.exists():
            shutil.rmtree(leftover)


def _former(zoo_path: Path) -> Path:
    return zoo_path.with_name(f".{zoo_path.name}.former")


def _fresh(zoo_path: Path) -> Path:
    return zoo_path.with_name(f".{zoo_path.name}.fresh")


def _replace(fresh: Path, zoo_path: Path) -> None:
    """The way of file systems that cannot exchange folders."""
    former = _former(zoo_path)
    zoo_path.rename(former)
    try:
        fresh.rename(zoo_path)
    except OSError:
        former.rename(zoo_path)
        raise
    shutil.rmtree(former)


def _place_again(zoo: Zoo, table: pd.DataFrame) -> pd.DataFrame:
    key = ["cell_id", "seed", "epoch"]
    places = zoo.table.reset_index()[[*key, "model_id", "run_id", "architecture", "shard", "row"]]
    given = table.reset_index(drop=True).drop(columns=["model_id", "shard", "row", "run_id"], errors="ignore")
    merged = places.drop(columns="architecture").merge(given, on=key, how="inner", validate="one_to_one")
    if not len(merged) == len(places) == len(given):
        raise ZooError(f"the new table of zoo {zoo.name!r} does not list exactly the checkpoints that the zoo holds")
    return merged


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # file systems without hard links
        shutil.copyfile(source, target)
