"""Importing: a foreign zoo, cell by cell, through the project's own writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import SplitError, ZooDamagedError, ZooFormatError
from wslbench.interop.formats import FORMATS, ImportFormat
from wslbench.interop.left_out import entry
from wslbench.interop.listing import ImportOptions, Listing
from wslbench.interop.networks import Networks, described, undescribed
from wslbench.interop.restoring import RESTORED, is_exported, restore_zoo
from wslbench.interop.tabulation import tabulate
from wslbench.zoo import Axis, DataSetCard, Split, Zoo, ZooCard, ZooWriter, make_split, verify
from wslbench.zoo.hashing import hash_json
from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import is_name
from wslbench.zoo.staging import STAGED_COLUMNS
from wslbench.zoo.tables import PAIR_COLUMNS
from wslbench.zoo.template import template

_PROTOCOLS = ("new-load", "new-temperature")  # the others need phases, and an import invents none


def import_zoo(
    source: Path,
    layout: str,
    destination: Path,
    options: ImportOptions,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Zoo:
    """Bring a foreign zoo into the zoo format, or an exported one back; an interrupted import goes on where it was.

    One cell is in memory at a time. The zoo is verified, all weights included, before it stands at its destination.

    Parameters
    ----------
    source
        The foreign zoo's folder.
    layout
        A key of :data:`FORMATS`, or what a zoo was exported as; of an exported one the options say nothing.
    destination
        Where the zoo will stand; must not exist yet.
    options
        What the files do not say.
    on_progress
        Called with the share of cells that is done.

    Raises
    ------
    ZooFormatError
        If the layout is unknown, or a file is not what the options say.
    ZooError
        If the destination is taken, or an interrupted import to it had another source or other options.
    """
    if layout in RESTORED and is_exported(source):
        return restore_zoo(source, layout, destination, on_progress)
    if layout not in FORMATS:
        known = ", ".join(sorted({*FORMATS, *RESTORED}))
        hint = f", and {source} holds no exported zoo" if layout in RESTORED else ""
        raise ZooFormatError(f"unknown import format {layout!r}{hint}: there are {known}")
    if options.train_size is None:
        raise ZooFormatError("how many train samples the networks have seen has to be said, by --train-size")
    if not is_name(options.name):
        raise ZooFormatError(f"{options.name!r} cannot name a zoo: letters, digits and . _ + = - only")
    chosen = FORMATS[layout]
    listing = chosen.listing(source, options)
    _check_files(source, listing)
    load, temperature = _axes(listing, options)
    table = tabulate(listing, load, temperature)
    networks = _networks(listing, table, options, source, chosen)
    table = table.assign(architecture=networks.names)
    card = _card(table, networks.architectures, layout, source, options, (load, temperature))
    finished = ZooWriter.finished(destination, card.recipe)
    if finished is not None:
        return finished
    writer = ZooWriter(destination, card.recipe)
    staged = writer.staged()
    pairs = pd.DataFrame({column: pd.Series(dtype=object) for column in PAIR_COLUMNS})
    cells = list(table.groupby("cell_id", sort=True))
    for done, (cell_id, rows) in enumerate(cells, start=1):
        if cell_id not in staged:
            expected = template(networks.architectures[rows["architecture"].iloc[0]]).stored
            weights = {
                int(str(epoch)): _stacked(source, part, chosen, expected)
                for epoch, part in rows.groupby("epoch", sort=True)
            }
            writer.stage(str(cell_id), rows[list(STAGED_COLUMNS)], weights, pairs)
        on_progress(done / len(cells))
    card = card.model_copy(update={"recipe": card.recipe | entry(listing.left_out)})
    return writer.compact(card, table, pairs, _splits(table, load, temperature), _check_sound)


def _check_sound(zoo: Zoo) -> None:
    problems = verify(zoo)
    if problems:
        raise ZooDamagedError("the imported zoo is not sound, and not kept: " + "; ".join(problems))


def _check_files(source: Path, listing: Listing) -> None:
    """Nothing outside the source is read, whatever a listing is made from."""
    inside = source.resolve()
    for name in dict.fromkeys(listing.table["file"]):
        file = (source / name).resolve()
        if not file.is_relative_to(inside):
            raise ZooFormatError(f"the metadata names {name!r}, which is outside {source}")
        if not file.is_file():
            raise ZooFormatError(f"the metadata names {name!r}, which is no file in {source}")


def _axes(listing: Listing, options: ImportOptions) -> tuple[str, str]:
    load, temperature = options.load or listing.load, options.temperature or listing.temperature
    if load is None or temperature is None:
        columns = ", ".join(map(str, listing.table.columns))
        raise ZooFormatError(
            f"which columns span the grid of cells has to be said for this layout, by --load and --temperature; "
            f"there are {columns}"
        )
    return load, temperature


def _networks(
    listing: Listing, table: pd.DataFrame, options: ImportOptions, source: Path, layout: ImportFormat
) -> Networks:
    pattern = options.architecture or listing.architecture
    if pattern is None:
        return undescribed(table, lambda rows: next(iter(layout.read(source, rows))))
    return described(pattern, table)


def _stacked(
    source: Path, rows: pd.DataFrame, layout: ImportFormat, expected: dict[str, tuple[int, ...]]
) -> dict[str, FloatArray]:
    stacks = {name: np.empty((len(rows), *shape), np.float32) for name, shape in expected.items()}
    for row, tensors in enumerate(layout.read(source, rows)):
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != expected:
            name = next(name for name in {**expected, **found} if found.get(name) != expected.get(name))
            raise ZooFormatError(
                f"{source / rows['file'].iloc[row]}: tensor {name!r} of the architecture has the shape "
                f"{expected.get(name, 'nothing')}, the file holds {found.get(name, 'nothing')}"
            )
        for name, tensor in tensors.items():
            stacks[name][row] = tensor
    return stacks


def _card(
    table: pd.DataFrame,
    architectures: dict[str, Architecture],
    layout: str,
    source: Path,
    options: ImportOptions,
    axes: tuple[str, str],
) -> ZooCard:
    files = [
        [name, (status := (source / name).stat()).st_size, status.st_mtime_ns] for name in dict.fromkeys(table["file"])
    ]
    rows = table.drop(columns="phase").to_json(orient="split", double_precision=15)
    assert options.train_size is not None
    load, temperature = (Axis(column=axis, label=axis, values=np.unique(table[axis]).tolist()) for axis in axes)
    recipe = {
        "imported_from": layout,
        "name": options.name,
        "files": len(files),
        "source": hash_json([files, rows]),
        "architectures": {name: network.model_dump(mode="json") for name, network in architectures.items()},
    }
    return ZooCard(
        name=options.name,
        content_version="1",
        licence=options.licence,
        citation=options.citation,
        description=options.description,
        modality="unknown",
        data_set=DataSetCard(name=options.data_set, train_size=options.train_size, test_size=options.test_size),
        architectures=architectures,
        load=load,
        temperature=temperature,
        measured_epoch=int(table["epoch"][table["measured"]].iloc[0]),
        recipe=recipe,
        software={},
    )


def _splits(table: pd.DataFrame, load: str, temperature: str) -> list[Split]:
    splits = []
    for protocol in _PROTOCOLS:
        try:
            splits.append(make_split(table, table, protocol, 0, load=load, temperature=temperature))
        except SplitError:  # an axis of a single value cannot be split along
            continue
    return splits
