"""What ``wslbench zoo info`` shows of a zoo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

    from wslbench.zoo import Zoo

_MOST_VALUES: Final = 60  # of an axis, that are listed one by one


def facts(zoo: Zoo) -> Iterator[tuple[str, str]]:
    """Heading and value, a line each."""
    card = zoo.card
    table, cells = zoo.table, zoo.cells
    shards = zoo.manifest.weights.shards.values()
    yield "zoo", f"{card.name}, version {card.content_version} (annotations {card.annotation_version})"
    if card.synthetic:
        yield "kind", "SYNTHETIC, for tests only: no network was trained, and the leaderboard takes no result on it"
    yield "description", card.description
    yield "folder", str(zoo.path)
    yield "licence", card.licence
    yield "citation", card.citation
    yield "data set", f"{card.data_set.name} ({card.modality}): {card.data_set.sizes}"
    for meaning, axis in (("load", card.load), ("temperature", card.temperature)):
        yield meaning, f"{axis.label} ({axis.column}): {_listed(axis.values)}"
    yield "runs", f"{table['run_id'].nunique():,} in {len(cells):,} cells"
    epochs = ", ".join(f"{epoch}" for epoch in sorted(set(table["epoch"])))
    yield "checkpoints", f"{len(table):,} at epochs {epochs}; order parameters belong to epoch {card.measured_epoch}"
    yield "weights", f"{sum(shard.bytes for shard in shards) / 1e6:.1f} MB in {len(shards)} shards"
    counts = dict(cells["phase"].value_counts().sort_index()) if "phase" in cells.columns else {}
    yield "phases", ", ".join(f"{phase}: {count} cells" for phase, count in counts.items()) or "none"
    if "unfinished" in cells.columns and cells["unfinished"].any():
        yield "unfinished", f"{int(cells['unfinished'].sum())} cells, left out of the tasks"
    yield "splits", ", ".join(zoo.protocols) or "none"
    yield "weights hash", zoo.versions["weights"]
    yield "annotations hash", zoo.versions["annotations"]


def _listed(values: list[int | float]) -> str:
    """The values, or how many there are between the first and the last where they would fill the screen."""
    if len(values) > _MOST_VALUES:
        return f"{len(values):,} values from {values[0]:g} to {values[-1]:g}"
    return ", ".join(f"{value:g}" for value in values)


def phase_grid(zoo: Zoo) -> Table | None:
    """The phase diagram as text: temperature upwards, load to the right; None where there is no phase, or no room.

    An unfinished cell carries a star.
    """
    from rich.table import Table

    cells = zoo.cells
    if "phase" not in cells.columns or cells["phase"].isna().all():
        return None
    load, temperature = zoo.card.load, zoo.card.temperature
    if max(len(load.values), len(temperature.values)) > _MOST_VALUES:
        return None
    unfinished = cells["unfinished"] if "unfinished" in cells.columns else [False] * len(cells)
    shown = {
        (row, column): f"{phase}{'*' if star else ''}"
        for row, column, phase, star in zip(
            cells[temperature.column], cells[load.column], cells["phase"], unfinished, strict=True
        )
        if isinstance(phase, str)
    }
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("", justify="right", no_wrap=True)
    for value in load.values:
        grid.add_column(f"{value:g}", no_wrap=True)
    for row in reversed(temperature.values):
        grid.add_row(f"{row:g}", *(shown.get((row, column), "–") for column in load.values))
    return grid
