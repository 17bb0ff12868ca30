"""Opening zoos: what comes out of a sound one, and what is said of a broken one."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.zoos import CELLS, EPOCHS, NAME
from wslbench.errors import SplitError, ZooDamagedError, ZooError, ZooFormatError, ZooNotFoundError, ZooVersionError
from wslbench.zoo import load_zoo
from wslbench.zoo.splits import write_split


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_table(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def test_the_table_has_a_row_a_checkpoint(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    assert zoo.name == NAME
    assert zoo.table.index.name == "model_id"
    assert len(zoo.table) == 10 * 3 * 2
    assert not zoo.table.duplicated(["cell_id", "seed", "epoch"]).any()


def test_reading_later_does_not_depend_on_the_working_directory(
    built_tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(built_tiny_zoo.parent)
    zoo = load_zoo(f"./{NAME}")
    monkeypatch.chdir(tmp_path)
    assert np.isfinite(zoo.models()[0].tensors()["fc.bias"]).all()


def test_tables_are_the_callers_to_change(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    for name in ("table", "cells", "pairs"):
        changed = getattr(zoo, name)
        changed["cell_id"] = "gone"
        assert not (getattr(zoo, name)["cell_id"] == "gone").any()


def test_cells_average_the_measured_checkpoints(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    assert zoo.cells["cell_id"].tolist() == sorted(CELLS)
    assert (zoo.cells["runs"] == 3).all()
    for _, cell in zoo.cells.iterrows():
        rows = [row for _, row in zoo.table.iterrows() if row.cell_id == cell.cell_id and row.epoch == EPOCHS[1]]
        assert cell.test_loss == pytest.approx(sum(row.test_loss for row in rows) / 3)
        assert (cell.phase, cell.learning_rate, cell.mode_connectivity) == (
            rows[0].phase,
            rows[0].learning_rate,
            rows[0].mode_connectivity,
        )


def test_rows_of_a_shard_stand_in_order_of_ids_that_tell_nothing(built_tiny_zoo: Path) -> None:
    table = load_zoo(built_tiny_zoo).table.reset_index()
    for _, rows in table.groupby("shard"):
        assert rows.sort_values("row")["model_id"].is_monotonic_increasing
        assert abs(np.corrcoef(rows["row"], rows["learning_rate"])[0, 1]) < 0.8


def test_versions_name_weights_and_annotations(built_tiny_zoo: Path) -> None:
    versions = load_zoo(built_tiny_zoo).versions
    assert {len(value) for value in versions.values()} == {64}
    assert versions.keys() == {"weights", "annotations"}


def test_an_unknown_zoo_split_or_folder_is_named(tiny_zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooNotFoundError, match="no zoo 'nonsense': neither an embedded zoo"):
        load_zoo("nonsense")
    with pytest.raises(ZooNotFoundError, match=r"is not a zoo: it has no manifest\.json"):
        load_zoo(tmp_path)
    with pytest.raises(
        SplitError, match="no split 'random'; it has: new-load, new-phase, new-temperature, phase-stratified"
    ):
        load_zoo(tiny_zoo).split("random")


def test_a_newer_format_version_is_told_apart_from_damage(tiny_zoo: Path) -> None:
    edit_json(tiny_zoo / "manifest.json", lambda manifest: manifest.update(format_version=2, novelty=[1]))
    with pytest.raises(ZooVersionError, match=r"format version 2, this wslbench reads up to 1: update"):
        load_zoo(tiny_zoo)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE: dict[str, tuple[Callable[[Path], object], type[ZooError], str]] = {
    "truncated manifest": (lambda zoo: truncate(zoo / "manifest.json"), ZooDamagedError, "not valid JSON"),
    "manifest not UTF-8": (lambda zoo: (zoo / "manifest.json").write_bytes(b"\xff\xfe"), ZooDamagedError, "UTF-8"),
    "manifest a list": (lambda zoo: (zoo / "manifest.json").write_text("[]"), ZooFormatError, "not a map"),
    "manifest nested": (lambda zoo: (zoo / "manifest.json").write_text("[" * 99999), ZooDamagedError, "not valid JSON"),
    "manifest field missing": (
        lambda zoo: edit_json(zoo / "manifest.json", lambda manifest: manifest.pop("splits")),
        ZooFormatError,
        r"manifest.json: field splits: Field required",
    ),
    "manifest field unknown": (
        lambda zoo: edit_json(zoo / "manifest.json", lambda manifest: manifest.update(more=1)),
        ZooFormatError,
        "field more",
    ),
    "manifest names another weights hash": (
        lambda zoo: edit_json(zoo / "manifest.json", lambda manifest: manifest["weights"].update(hash="0" * 64)),
        ZooDamagedError,
        "contradicts itself",
    ),
    "manifest names another annotations hash": (
        lambda zoo: edit_json(zoo / "manifest.json", lambda manifest: manifest["annotations"].update(hash="0" * 64)),
        ZooDamagedError,
        "contradicts itself",
    ),
    "shard path outside": (
        lambda zoo: edit_json(
            zoo / "manifest.json",
            lambda manifest: manifest["weights"]["shards"].update(
                {"../outside/1-0.safetensors": next(iter(manifest["weights"]["shards"].values()))}
            ),
        ),
        ZooFormatError,
        "not the path of a shard",
    ),
    "split name with a path": (
        lambda zoo: edit_json(zoo / "manifest.json", lambda manifest: manifest["splits"].update({"../x": "0" * 64})),
        ZooFormatError,
        "not a name",
    ),
    "card missing": (lambda zoo: (zoo / "zoo.yaml").unlink(), ZooDamagedError, "zoo.yaml cannot be read"),
    "card not YAML": (lambda zoo: (zoo / "zoo.yaml").write_text("a: [b"), ZooDamagedError, "not valid YAML"),
    "card runs code": (
        lambda zoo: (zoo / "zoo.yaml").write_text("a: !!python/object/apply:os.getcwd []"),
        ZooDamagedError,
        "not valid YAML",
    ),
    "card with aliases": (
        lambda zoo: (zoo / "zoo.yaml").write_text("a: &x [1]\nb: [*x, *x]"),
        ZooFormatError,
        "aliases",
    ),
    "card field wrong": (
        lambda zoo: (zoo / "zoo.yaml").write_text(
            (zoo / "zoo.yaml").read_text().replace("measured_epoch: 10", "measured_epoch: ten")
        ),
        ZooFormatError,
        "field measured_epoch",
    ),
    "card edited": (
        lambda zoo: (zoo / "zoo.yaml").write_text((zoo / "zoo.yaml").read_text().replace("MIT", "GPL")),
        ZooDamagedError,
        "not the one that the manifest describes",
    ),
    "shard missing": (lambda zoo: (zoo / "weights/w2/2-0.safetensors").unlink(), ZooDamagedError, "2-0.* is missing"),
    "shard cut short": (lambda zoo: truncate(zoo / "weights/w2/2-0.safetensors"), ZooDamagedError, "manifest says"),
    "shard a pipe": (
        lambda zoo: ((zoo / "weights/w2/2-0.safetensors").unlink(), os.mkfifo(zoo / "weights/w2/2-0.safetensors")),
        ZooDamagedError,
        "is missing",
    ),
}


@pytest.mark.parametrize(("damage", "error", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_found_on_opening(
    tiny_zoo: Path, damage: Callable[[Path], object], error: type[ZooError], message: str
) -> None:
    damage(tiny_zoo)
    with pytest.raises(error, match=message):
        load_zoo(tiny_zoo)


TABLE_DAMAGE: dict[str, tuple[Callable[[Path], object], type[ZooError], str]] = {
    "missing": (Path.unlink, ZooDamagedError, "models.parquet is missing"),
    "cut short": (truncate, ZooDamagedError, "cannot be read as parquet"),
    "empty": (lambda path: path.write_bytes(b""), ZooDamagedError, "cannot be read as parquet"),
    "column gone": (lambda path: edit_table(path, lambda rows: rows.drop(columns="phase")), ZooFormatError, "'phase'"),
    "value changed": (
        lambda path: edit_table(path, lambda rows: rows.assign(test_accuracy=0.5)),
        ZooDamagedError,
        "not the one that the manifest describes",
    ),
    "row gone": (lambda path: edit_table(path, lambda rows: rows.iloc[1:]), ZooDamagedError, "not the one"),
    "rows of a shard swapped": (
        lambda path: edit_table(path, lambda rows: rows.assign(row=rows["row"].replace({0: 1, 1: 0}))),
        ZooFormatError,
        "in order of their ids",
    ),
    "row beyond its shard": (
        lambda path: edit_table(path, lambda rows: rows.assign(row=rows["row"].replace({0: 99}))),
        ZooFormatError,
        "are not 15 checkpoints",
    ),
    "negative row": (
        lambda path: edit_table(path, lambda rows: rows.assign(row=rows["row"].replace({0: -1}))),
        ZooFormatError,
        "are not 15 checkpoints",
    ),
    "shard outside": (
        lambda path: edit_table(path, lambda rows: rows.assign(shard="../../" + rows["shard"])),
        ZooFormatError,
        "do not name the same shards",
    ),
    "shard null": (
        lambda path: edit_table(path, lambda rows: rows.assign(shard=rows["shard"].where(rows["row"] > 0, None))),
        ZooFormatError,
        "do not name the same shards",
    ),
}


@pytest.mark.parametrize(("damage", "error", "message"), TABLE_DAMAGE.values(), ids=TABLE_DAMAGE.keys())
def test_damage_to_the_table_is_found_when_it_is_read(
    tiny_zoo: Path, damage: Callable[[Path], object], error: type[ZooError], message: str
) -> None:
    damage(tiny_zoo / "models.parquet")
    zoo = load_zoo(tiny_zoo)
    with pytest.raises(error, match=message):
        zoo.models()


def test_damage_to_pairs_and_splits_is_found_when_they_are_read(tiny_zoo: Path) -> None:
    zoo = load_zoo(tiny_zoo)
    edit_table(tiny_zoo / "pairs.parquet", lambda rows: rows.assign(cka=0.1))
    with pytest.raises(ZooDamagedError, match=r"pairs.parquet is not the one"):
        _ = zoo.pairs
    (tiny_zoo / "splits/new-load.parquet").write_bytes((tiny_zoo / "splits/new-temperature.parquet").read_bytes())
    with pytest.raises(ZooDamagedError, match=r"new-load.parquet is not the one"):
        zoo.split("new-load")


def test_a_split_that_does_not_fit_the_zoo_is_refused_even_with_its_hash(tiny_zoo: Path) -> None:
    split = load_zoo(tiny_zoo).split("new-load")
    partial = dataclasses.replace(split, table=split.table.iloc[1:])
    write_split(partial, tiny_zoo / "splits/new-load.parquet")
    edit_json(tiny_zoo / "manifest.json", lambda manifest: manifest["splits"].update({"new-load": partial.hash}))
    with pytest.raises(SplitError, match="without its run"):
        load_zoo(tiny_zoo).split("new-load")


def test_a_damaged_shard_header_is_found_when_it_is_mapped(tiny_zoo: Path) -> None:
    shard = tiny_zoo / "weights/w3/10-0.safetensors"
    content = bytearray(shard.read_bytes())
    content[9] = 0
    shard.write_bytes(content)
    zoo = load_zoo(tiny_zoo)
    stacks = {stack.name: stack for stack in zoo.models(zoo.table.query("epoch == 10").index).by_architecture()}
    with pytest.raises(ZooDamagedError, match=r"w3/10-0.safetensors is damaged"):
        stacks["w3"].keys()
    assert len(stacks["w2"].keys()) == 17
