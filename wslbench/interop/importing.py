"""Importing: a foreign zoo, part by part, through the project's own writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import SplitError, WeightsNotFiniteError, ZooDamagedError, ZooFormatError
from wslbench.interop.formats import FORMATS, ImportFormat
from wslbench.interop.left_out import LeftOut, entry
from wslbench.interop.listing import ImportOptions, Listing
from wslbench.interop.networks import Networks, described, undescribed
from wslbench.interop.parts import Part, bytes_of, parts_of
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

    Some :data:`~wslbench.interop.parts.MOST_BYTES` of weights are in memory at a time. Checkpoints whose weights are
    not finite are left out, which the card's recipe lists; what else there is of their runs counts as unfinished. The
    zoo is verified, all weights included, before it stands at its destination.

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
        Called with the share of the work that is done.

    Raises
    ------
    ZooFormatError
        If the layout is unknown, a file is not what the options say, or no network has finite weights.
    ZooError
        If the destination is taken, or an interrupted import to it had another source or other options.
    """
    if layout in RESTORED and is_exported(source):
        return restore_zoo(source, layout, destination, on_progress)
    if layout not in FORMATS:
        known = ", ".join(sorted({*FORMATS, *RESTORED}))
        hint = f", and {source} holds no exported zoo" if layout in RESTORED else ""
        raise ZooFormatError(f"unknown import format {layout!r}{hint}: there are {known}")
    if not is_name(options.name):
        raise ZooFormatError(f"{options.name!r} cannot name a zoo: letters, digits and . _ + = - only")
    chosen = FORMATS[layout]
    listing = chosen.listing(source, options)
    _check_files(source, listing)
    load, temperature = _axes(listing, options)
    table = tabulate(listing, load, temperature).reset_index(drop=True)
    networks = _networks(listing, table, options, source, chosen)
    table = table.assign(architecture=networks.names)
    recipe = _recipe(table, networks.architectures, layout, source, options)
    # What a part is made from its own name tells.
    staging = {"imported_from": layout, "source": str(source.resolve())}
    finished = ZooWriter.finished(destination, staging)
    if finished is not None and finished.card.recipe.get("source") == recipe["source"]:
        return finished
    writer = ZooWriter(destination, staging)
    readable = _stage(writer, table, networks.architectures, source, chosen, options, on_progress)
    kept, diverged = _without(table, readable)
    if kept.empty:
        raise ZooFormatError(f"{source} holds no network whose weights are finite")
    recipe |= entry([*listing.left_out, *diverged])
    measured_epoch = int(table["epoch"][table["measured"]].iloc[0])
    card = _card(kept, networks.architectures, options, (load, temperature), recipe, measured_epoch)
    return writer.compact(card, kept, _no_pairs(), _splits(kept, load, temperature), _check_sound)


def _stage(
    writer: ZooWriter,
    table: pd.DataFrame,
    architectures: Mapping[str, Architecture],
    source: Path,
    layout: ImportFormat,
    options: ImportOptions,
    on_progress: Callable[[float], None],
) -> npt.NDArray[np.bool_]:
    """Stage what is not staged yet; which rows of the table have finite weights."""
    sizes = {name: bytes_of(network) for name, network in architectures.items()}
    known = table[table["architecture"].isin(sizes)]  # of the others all tensors could not be read
    how = [options.rounded, {name: network.model_dump(mode="json") for name, network in architectures.items()}]
    parts = list(parts_of(known, sizes, lambda rows: [source / name for name in dict.fromkeys(rows["file"])], how))
    staged = writer.staged() & {part.name for part in parts}
    writer.keep_only(staged)
    readable = np.zeros(len(table), bool)
    for done, part in enumerate(parts, start=1):
        rows = known.iloc[part.positions]
        if part.name in staged:
            there = writer.staged_rows(part.name)
            keys = set(zip(there["seed"], there["epoch"], strict=True))
            readable[rows.index] = [key in keys for key in zip(rows["seed"], rows["epoch"], strict=True)]
        else:
            expected = template(architectures[rows["architecture"].iloc[0]]).stored
            readable[_stage_part(writer, part, rows, expected, source, layout, options)] = True
        on_progress(done / len(parts))
    return readable


def _stage_part(
    writer: ZooWriter,
    part: Part,
    rows: pd.DataFrame,
    expected: dict[str, tuple[int, ...]],
    source: Path,
    layout: ImportFormat,
    options: ImportOptions,
) -> npt.NDArray[np.intp]:
    """Stage a part, whose weights are in memory until this returns; the labels of the rows that are finite."""
    weights: dict[int, dict[str, FloatArray]] = {}
    labels: list[int] = []
    for epoch, same in rows.groupby("epoch", sort=True):
        finite, stacks = _stacked(source, same, layout, expected, options)
        labels += same.index[finite].tolist()
        if finite:
            weights[int(str(epoch))] = stacks
    writer.stage(part.cell_id, rows.loc[labels, list(STAGED_COLUMNS)], weights, _no_pairs(), part.number)
    return np.array(labels, np.intp)


def _without(table: pd.DataFrame, readable: npt.NDArray[np.bool_]) -> tuple[pd.DataFrame, list[LeftOut]]:
    """The table without checkpoints that are left out, and these; other rows of their runs are flagged."""
    if readable.all():
        return table, []
    gone = table[~readable]
    diverged = table["run_id"].isin(gone["run_id"])
    flags = {"unfinished": table["unfinished"] | diverged}
    if "diverged" not in table.columns or table["diverged"].dtype == bool:
        flags["diverged"] = diverged | table.get("diverged", False)
    lines = gone["line"] if "line" in gone.columns else [None] * len(gone)
    names = [file if line is None else f"{file}, line {line}" for file, line in zip(gone["file"], lines, strict=True)]
    return table.assign(**flags)[readable], [LeftOut(name, "not finite") for name in names]


def _no_pairs() -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in PAIR_COLUMNS})


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
        lenient = replace(options, strict=False)
        found = undescribed(table, lambda rows: next(_finite(source, rows, layout, lenient), (0, None))[1])
        if not found.architectures:
            raise ZooFormatError(f"{source} holds no network whose weights are finite")
        return found
    return described(pattern, table)


def _finite(
    source: Path, rows: pd.DataFrame, layout: ImportFormat, options: ImportOptions
) -> Iterator[tuple[int, Mapping[str, FloatArray]]]:
    """The networks of some rows that are finite, and which row each is of."""
    row = 0
    while row < len(rows):
        try:
            for tensors in layout.read(source, rows.iloc[row:], options.rounded):
                yield row, tensors
                row += 1
        except WeightsNotFiniteError as error:  # a reader ends with it: another one goes on behind
            if options.strict:
                raise ZooFormatError(f"{error}: an import that is not strict would leave this network out") from error
            row += 1


def _stacked(
    source: Path, rows: pd.DataFrame, layout: ImportFormat, expected: dict[str, tuple[int, ...]], options: ImportOptions
) -> tuple[list[int], dict[str, FloatArray]]:
    """The weights of the rows that are finite, and which rows these are."""
    stacks = {name: np.empty((len(rows), *shape), np.float32) for name, shape in expected.items()}
    finite: list[int] = []
    for row, tensors in _finite(source, rows, layout, options):
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != expected:
            name = next(name for name in {**expected, **found} if found.get(name) != expected.get(name))
            raise ZooFormatError(
                f"{source / rows['file'].iloc[row]}: tensor {name!r} of the architecture has the shape "
                f"{expected.get(name, 'nothing')}, the file holds {found.get(name, 'nothing')}"
            )
        for name, tensor in tensors.items():
            stacks[name][len(finite)] = tensor
        finite.append(row)
    return finite, {name: stack[: len(finite)] for name, stack in stacks.items()}


def _recipe(
    table: pd.DataFrame, architectures: dict[str, Architecture], layout: str, source: Path, options: ImportOptions
) -> dict[str, Any]:
    files = [
        [name, (status := (source / name).stat()).st_size, status.st_mtime_ns] for name in dict.fromkeys(table["file"])
    ]
    rows = table.drop(columns="phase").to_json(orient="split", double_precision=15)
    return {
        "imported_from": layout,
        "name": options.name,
        "files": len(files),
        "source": hash_json([files, rows]),
        "architectures": {name: network.model_dump(mode="json") for name, network in architectures.items()},
        **({"rounded_to": "float32"} if options.rounded else {}),
    }


def _card(
    table: pd.DataFrame,
    architectures: dict[str, Architecture],
    options: ImportOptions,
    axes: tuple[str, str],
    recipe: dict[str, Any],
    measured_epoch: int,
) -> ZooCard:
    load, temperature = (Axis(column=axis, label=axis, values=np.unique(table[axis]).tolist()) for axis in axes)
    used = set(table["architecture"])
    return ZooCard(
        name=options.name,
        content_version="1",
        licence=options.licence,
        citation=options.citation,
        description=options.description,
        modality=options.modality,
        data_set=DataSetCard(name=options.data_set, train_size=options.train_size, test_size=options.test_size),
        architectures={name: network for name, network in architectures.items() if name in used},
        load=load,
        temperature=temperature,
        measured_epoch=measured_epoch,
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
