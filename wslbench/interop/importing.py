"""Importing: a foreign zoo, cell by cell, through the project's own writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.errors import SplitError, ZooDamagedError, ZooFormatError
from wslbench.interop.formats import FORMATS, ImportFormat, ImportOptions
from wslbench.zoo import Axis, DataSetCard, Split, Zoo, ZooCard, ZooWriter, make_split, verify
from wslbench.zoo.hashing import hash_json
from wslbench.zoo.identity import run_id
from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import is_name
from wslbench.zoo.splits import unit_name
from wslbench.zoo.tables import MODEL_COLUMNS, PAIR_COLUMNS
from wslbench.zoo.template import template

_PROTOCOLS = ("new-load", "new-temperature")  # the others need phases, and an import invents none


def import_zoo(
    source: Path,
    layout: str,
    destination: Path,
    options: ImportOptions,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Zoo:
    """Bring a foreign zoo into the zoo format; an interrupted import goes on where it was.

    One cell is in memory at a time. The zoo is verified, all weights included, before it is returned.

    Parameters
    ----------
    source
        The foreign zoo's folder.
    layout
        A key of :data:`FORMATS`.
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
    if layout not in FORMATS:
        raise ZooFormatError(f"unknown import format {layout!r}: there are {', '.join(sorted(FORMATS))}")
    if not is_name(options.name):
        raise ZooFormatError(f"{options.name!r} cannot name a zoo: letters, digits and . _ + = - only")
    chosen = FORMATS[layout]
    expected = template(options.architecture).stored
    table = _checkpoints(chosen.listing(source, options.metadata), options)
    card = _card(table, layout, source, options)
    writer = ZooWriter(destination, card.recipe)
    staged = writer.staged()
    pairs = pd.DataFrame({column: pd.Series(dtype=object) for column in PAIR_COLUMNS})
    cells = list(table.groupby("cell_id", sort=True))
    for done, (cell_id, rows) in enumerate(cells, start=1):
        if cell_id not in staged:
            weights = {
                int(str(epoch)): _stacked(source, list(part["file"]), chosen, expected)
                for epoch, part in rows.groupby("epoch", sort=True)
            }
            writer.stage(str(cell_id), rows, weights, pairs)
        on_progress(done / len(cells))
    zoo = writer.compact(card, table, pairs, _splits(table, options))
    problems = verify(zoo)
    if problems:
        raise ZooDamagedError(f"the imported zoo at {destination} is not sound: " + "; ".join(problems))
    return zoo


def _checkpoints(listed: pd.DataFrame, options: ImportOptions) -> pd.DataFrame:
    """The table of the zoo: cells from the axes, seeds counted where none are given."""
    computed = set(MODEL_COLUMNS) - {"seed", "epoch"}
    clash = sorted(computed & set(listed.columns))
    if clash:
        raise ZooFormatError(f"the metadata's column {clash[0]!r} is one that the zoo format computes: rename it")
    for column in (options.load, options.temperature):
        if column not in listed.columns:
            raise ZooFormatError(f"the metadata has no column {column!r}; it has {', '.join(listed.columns)}")
        if not pd.api.types.is_numeric_dtype(listed[column]) or not np.isfinite(listed[column]).all():
            raise ZooFormatError(f"the metadata's column {column!r} is an axis of the grid, so it holds numbers alone")
    axes = zip(listed[options.load], listed[options.temperature], strict=True)
    cell_ids = [f"load={unit_name(load)}_temperature={unit_name(temperature)}" for load, temperature in axes]
    table = listed.assign(cell_id=cell_ids)
    if "epoch" not in table.columns:
        table["epoch"] = 0
    if "seed" not in table.columns:
        table["seed"] = table.groupby(["cell_id", "epoch"]).cumcount()
    for column in ("seed", "epoch"):
        if not pd.api.types.is_integer_dtype(table[column]) or (table[column] < 0).any():
            raise ZooFormatError(f"the metadata's column {column!r} must hold integers from 0 on")
    if table.duplicated(["cell_id", "seed", "epoch"]).any():
        raise ZooFormatError("the metadata lists two files of the same cell, seed and epoch: is a seed column wrong?")
    runs = [run_id(cell, seed) for cell, seed in zip(table["cell_id"], table["seed"], strict=True)]
    measured = table["epoch"] == table["epoch"].max()
    table = table.assign(run_id=runs, measured=measured, architecture=options.architecture.builder, phase=None)
    # What tasks read of every zoo: no phase, so no certainty of one; foreign runs count as finished unless told.
    return table.assign(
        phase_probability=np.nan, unfinished=table["unfinished"] if "unfinished" in table.columns else False
    )


def _stacked(
    source: Path, files: list[str], layout: ImportFormat, expected: dict[str, tuple[int, ...]]
) -> dict[str, FloatArray]:
    stacks = {name: np.empty((len(files), *shape), np.float32) for name, shape in expected.items()}
    for row, file in enumerate(files):
        tensors = layout.read(source / file)
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != expected:
            name = next(name for name in {**expected, **found} if found.get(name) != expected.get(name))
            raise ZooFormatError(
                f"{source / file}: tensor {name!r} of the architecture has the shape {expected.get(name, 'nothing')}, "
                f"the file holds {found.get(name, 'nothing')}"
            )
        for name, tensor in tensors.items():
            stacks[name][row] = tensor
    return stacks


def _card(table: pd.DataFrame, layout: str, source: Path, options: ImportOptions) -> ZooCard:
    files = [[name, (status := (source / name).stat()).st_size, status.st_mtime_ns] for name in table["file"]]
    rows = table.drop(columns="phase").to_json(orient="split", double_precision=15)
    recipe = {
        "imported_from": layout,
        "name": options.name,
        "files": len(files),
        "source": hash_json([files, rows]),
        "architecture": options.architecture.model_dump(mode="json"),
    }
    return ZooCard(
        name=options.name,
        content_version="1",
        licence=options.licence,
        citation=options.citation,
        description=options.description,
        modality="unknown",
        data_set=DataSetCard(name=options.data_set, train_size=options.train_size),
        architectures={options.architecture.builder: options.architecture},
        load=_axis(table, options.load),
        temperature=_axis(table, options.temperature),
        measured_epoch=int(table["epoch"].max()),
        recipe=recipe,
        software={},
    )


def _axis(table: pd.DataFrame, column: str) -> Axis:
    return Axis(column=column, label=column, values=np.unique(table[column]).tolist())


def _splits(table: pd.DataFrame, options: ImportOptions) -> list[Split]:
    splits = []
    for protocol in _PROTOCOLS:
        try:
            splits.append(make_split(table, table, protocol, 0, load=options.load, temperature=options.temperature))
        except SplitError:  # an axis of a single value cannot be split along
            continue
    return splits
