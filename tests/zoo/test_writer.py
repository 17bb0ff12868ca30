"""Writing zoos: staged cells survive a kill, the zoo appears whole or not at all."""

from __future__ import annotations

import dataclasses
import functools
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.zoos import CELLS, EPOCHS, NAME, RECIPE, cell_pairs, cell_rows, cell_weights, make_tiny_zoo, tiny_card
from wslbench.errors import SplitError, ZooDamagedError, ZooError, ZooFormatError
from wslbench.zoo import ZooWriter, compaction, load_zoo, make_split, rewrite_annotations, verify
from wslbench.zoo import writer as zoo_writer
from wslbench.zoo.compaction import Shard

CELL = "w2-lr0.05"


@pytest.fixture
def writer(tmp_path: Path) -> ZooWriter:
    return ZooWriter(tmp_path / "zoo", RECIPE)


def stage(writer: ZooWriter, *cells: str) -> pd.DataFrame:
    for cell_id in cells:
        rows = cell_rows(cell_id)
        writer.stage(cell_id, rows, cell_weights(cell_id, rows), cell_pairs(cell_id))
    return pd.concat([writer.read_staged(cell_id).rows for cell_id in cells], ignore_index=True)


def no_pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {"cell_id": pd.Series(dtype=str), "seed_a": pd.Series(dtype=int), "seed_b": pd.Series(dtype=int)}
    )


def test_a_staged_cell_comes_back_as_it_was(writer: ZooWriter) -> None:
    stage(writer, CELL)
    cell = writer.read_staged(CELL)
    expected = cell_rows(CELL)
    pd.testing.assert_frame_equal(cell.rows, expected, check_dtype=False)
    pd.testing.assert_frame_equal(cell.pairs, cell_pairs(CELL), check_dtype=False)
    for epoch, tensors in cell_weights(CELL, expected).items():
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(cell.weights[epoch][name], tensor)


def test_the_same_recipe_resumes_and_another_is_refused(tmp_path: Path) -> None:
    stage(ZooWriter(tmp_path / "zoo", RECIPE), CELL)
    assert ZooWriter(tmp_path / "zoo", dict(reversed(RECIPE.items()))).staged() == {CELL}
    with pytest.raises(ZooError, match="begun with another recipe"):
        ZooWriter(tmp_path / "zoo", {**RECIPE, "widths": [2]})


def test_staging_without_its_recipe_is_refused(tmp_path: Path) -> None:
    stage(ZooWriter(tmp_path / "zoo", RECIPE), CELL)
    (tmp_path / "zoo.partial/recipe.json").unlink()
    with pytest.raises(ZooError, match="unknown recipe"):
        ZooWriter(tmp_path / "zoo", RECIPE)


def test_a_taken_destination_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    ZooWriter(tmp_path / "zoo", RECIPE)
    (tmp_path / "zoo/notes.txt").write_text("mine")
    with pytest.raises(ZooError, match="exists already"):
        ZooWriter(tmp_path / "zoo", RECIPE)


def test_a_kill_while_staging_leaves_no_half_cell(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from tests.zoos import RECIPE, cell_pairs, cell_rows, cell_weights
from wslbench.zoo import ZooWriter, staging

write = staging.write_table
def kill_at_the_second_table(frame, path, metadata=None):
    if path.name == "pairs.parquet":
        os.kill(os.getpid(), signal.SIGKILL)
    write(frame, path, metadata)
staging.write_table = kill_at_the_second_table
rows = cell_rows({CELL!r})
weights = cell_weights({CELL!r}, rows)
ZooWriter(Path({str(tmp_path / "zoo")!r}), RECIPE).stage({CELL!r}, rows, weights, cell_pairs({CELL!r}))
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True)
    assert finished.returncode == -signal.SIGKILL, finished.stderr.decode()
    writer = ZooWriter(tmp_path / "zoo", RECIPE)
    assert writer.staged() == set()
    stage(writer, CELL)
    assert writer.staged() == {CELL}


def test_an_unstaged_cell_is_named(writer: ZooWriter) -> None:
    with pytest.raises(ZooError, match="cell 'w9' is not staged"):
        writer.read_staged("w9")


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "a b"])
def test_a_cell_id_must_be_able_to_name_a_folder(writer: ZooWriter, name: str) -> None:
    with pytest.raises(ZooFormatError, match="cannot be the id of a cell"):
        writer.stage(name, cell_rows(CELL), {}, cell_pairs(CELL))


def test_rows_and_weights_must_fit(writer: ZooWriter) -> None:
    rows = cell_rows(CELL)
    weights, pairs = cell_weights(CELL, rows), cell_pairs(CELL)
    counter = {**weights[2], "bn1.num_batches_tracked": np.zeros(3, np.int64)}
    short = {**weights[2], "fc.bias": weights[2]["fc.bias"][:2]}
    for bad_rows, bad_weights, bad_pairs, message in (
        (rows.drop(columns="seed"), weights, pairs, "rows of cell 'w2-lr0.05' lack the column 'seed'"),
        (rows, weights, pairs.drop(columns="seed_a"), "pairs of cell 'w2-lr0.05' lack the column 'seed_a'"),
        (rows.assign(cell_id="other"), weights, pairs, "name another cell"),
        (rows, {2: weights[2]}, pairs, "do not list the same checkpoints"),
        (rows.assign(seed=0), weights, pairs, "do not list the same checkpoints"),
        (rows, {**weights, 2: counter}, pairs, "counters not at all"),
        (rows, {**weights, 2: short}, pairs, "does not stack 3 seeds"),
    ):
        with pytest.raises(ZooFormatError, match=message):
            writer.stage(CELL, bad_rows, bad_weights, bad_pairs)
    assert writer.staged() == set()


def test_compaction_puts_every_weight_where_the_table_says(tmp_path: Path) -> None:
    zoo = make_tiny_zoo(tmp_path / NAME)
    assert not (tmp_path / f"{NAME}.partial").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]
    assert verify(zoo) == []
    ids = zoo.table.reset_index().set_index(["cell_id", "seed", "epoch"])["model_id"]
    for cell_id in CELLS:
        weights = cell_weights(cell_id, cell_rows(cell_id))
        for epoch in EPOCHS:
            (stack,) = zoo.models([ids[cell_id, seed, epoch] for seed in (0, 1, 2)]).by_architecture()
            for name, tensor in weights[epoch].items():
                np.testing.assert_array_equal(stack[name], tensor)


def test_the_same_content_has_the_same_hashes(built_tiny_zoo: Path, tmp_path: Path) -> None:
    first, second = load_zoo(built_tiny_zoo), make_tiny_zoo(tmp_path / "elsewhere")
    assert first.manifest == second.manifest


def test_large_populations_are_cut_into_shards(writer: ZooWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MAX_SHARD_BYTES", 5000)
    zoo = writer.compact(tiny_card(), stage(writer, *CELLS), no_pairs(), [])
    assert len(zoo.manifest.weights.shards) > 8
    assert all(entry.bytes < 5000 + 2500 for entry in zoo.manifest.weights.shards.values())
    assert verify(zoo) == []
    (stack,) = zoo.models(
        zoo.table.query("cell_id == @CELL and epoch == 10").sort_values("seed").index
    ).by_architecture()
    np.testing.assert_array_equal(stack["fc.weight"], cell_weights(CELL, cell_rows(CELL))[10]["fc.weight"])


def test_checkpoints_that_the_table_leaves_out_stay_out(writer: ZooWriter) -> None:
    table = stage(writer, CELL, "w3-lr0.05")
    zoo = writer.compact(tiny_card(), table[table["cell_id"] == CELL], no_pairs(), [])
    assert set(zoo.table["cell_id"]) == {CELL}


def test_a_refused_compaction_leaves_everything_staged(writer: ZooWriter, tmp_path: Path) -> None:
    table = stage(writer, CELL, "w3-lr0.05")
    card = tiny_card()
    cells = table.drop_duplicates("cell_id")
    split = make_split(cells, table, "new-load", 0, load="width", temperature="learning_rate")
    stranger = dataclasses.replace(split, table=split.table.assign(run_id="x" + split.table["run_id"]))
    narrow = {"w2": card.architectures["w3"], "w3": card.architectures["w3"]}
    missing = pd.concat([table, table.iloc[:1].assign(seed=9)])
    for bad_card, bad_table, splits, error, message in (
        (card, table.assign(cell_id="w9"), [], ZooFormatError, "lists a checkpoint twice"),
        (card, missing, [], ZooError, r"not staged: \(cell, seed, epoch\) \('w2-lr0.05', 9, 2\)"),
        (card, table.iloc[:1].assign(cell_id="w9"), [], ZooError, "'w9', which is not staged"),
        (card, table.drop(columns="phase"), [], ZooFormatError, "lacks the column 'phase'"),
        (card, table.assign(architecture="w4"), [], ZooFormatError, "does not describe architecture 'w4'"),
        (card.model_copy(update={"measured_epoch": 2}), table, [], ZooFormatError, "not those of epoch 2"),
        (card.model_copy(update={"architectures": narrow}), table, [], ZooFormatError, "tensor 'conv1.weight'"),
        (card, table, [split, split], SplitError, "two splits of one protocol"),
        (card, table, [stranger], SplitError, "not in the zoo"),
    ):
        with pytest.raises(error, match=message):
            writer.compact(bad_card, bad_table, no_pairs(), splits)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["zoo.partial"]
    assert writer.compact(card, table, no_pairs(), [split]).protocols == ["new-load"]


def test_annotations_change_without_touching_weights(tiny_zoo: Path) -> None:
    before = load_zoo(tiny_zoo)
    inodes = {path.name: path.stat().st_ino for path in tiny_zoo.rglob("*.safetensors")}
    kept = before.models()[0].tensors()["fc.weight"]
    table = before.table.sample(frac=1, random_state=0).assign(phase="I", extra=1.5)
    split = before.split("new-load")
    after = rewrite_annotations(tiny_zoo, before.card, table, before.pairs, [split])
    assert after.card.annotation_version == before.card.annotation_version + 1
    assert after.versions["weights"] == before.versions["weights"]
    assert after.versions["annotations"] != before.versions["annotations"]
    assert set(after.table["phase"]) == {"I"}
    assert (after.table["extra"] == 1.5).all()
    assert after.protocols == ["new-load"]
    assert {path.name: path.stat().st_ino for path in tiny_zoo.rglob("*.safetensors")} == inodes
    assert verify(after) == []
    assert [path.name for path in tiny_zoo.parent.iterdir()] == [NAME]
    np.testing.assert_array_equal(after.models([before.models()[0].id])[0].tensors()["fc.weight"], kept)


def test_a_refused_annotation_leaves_the_zoo_as_it_was(tiny_zoo: Path) -> None:
    zoo = load_zoo(tiny_zoo)
    for table in (zoo.table.iloc[1:], zoo.table.assign(seed=zoo.table["seed"] + 5)):
        with pytest.raises(ZooError, match="does not list exactly the checkpoints"):
            rewrite_annotations(tiny_zoo, zoo.card, table, zoo.pairs, [])
    with pytest.raises(ZooFormatError, match="lack the column 'seed_a'"):
        rewrite_annotations(tiny_zoo, zoo.card, zoo.table, zoo.pairs.drop(columns="seed_a"), [])
    assert load_zoo(tiny_zoo).manifest == zoo.manifest
    assert [path.name for path in tiny_zoo.parent.iterdir()] == [NAME]


def test_annotations_change_where_folders_cannot_be_exchanged(tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_writer, "exchange", lambda *_: False)
    zoo = load_zoo(tiny_zoo)
    after = rewrite_annotations(tiny_zoo, zoo.card, zoo.table, zoo.pairs, [])
    assert verify(after) == []
    assert after.card.annotation_version == 2
    assert [path.name for path in tiny_zoo.parent.iterdir()] == [NAME]


def test_annotating_recovers_from_a_kill_between_the_renames(tiny_zoo: Path) -> None:
    zoo = load_zoo(tiny_zoo)
    table, pairs = zoo.table, zoo.pairs
    tiny_zoo.rename(tiny_zoo.with_name(f".{NAME}.former"))
    assert rewrite_annotations(tiny_zoo, zoo.card, table, pairs, []).card.annotation_version == 2


def test_a_staging_folder_behind_another_zoo_is_left_alone(tiny_zoo: Path) -> None:
    staging = tiny_zoo.with_name(f"{NAME}.partial")
    tiny_zoo.rename(tiny_zoo.with_name("elsewhere"))
    stage(ZooWriter(tiny_zoo, RECIPE), CELL)
    tiny_zoo.with_name("elsewhere").rename(tiny_zoo)
    assert ZooWriter.finished(tiny_zoo, RECIPE) is None  # it was never compacted
    assert (staging / CELL).is_dir()


def test_a_damaged_staged_cell_is_named(writer: ZooWriter, tmp_path: Path) -> None:
    stage(writer, CELL)
    (tmp_path / "zoo.partial" / CELL / "2.safetensors").write_bytes(b"short")
    with pytest.raises(ZooDamagedError, match=r"2.safetensors is damaged"):
        writer.read_staged(CELL)


def test_compaction_opens_one_cell_at_a_time(writer: ZooWriter) -> None:
    table = stage(writer, *CELLS)
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    before, limits = len(list(folder.iterdir())), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 5, limits[1]))  # a shard's ten cells at once are too many
    try:
        zoo = writer.compact(tiny_card(), table, no_pairs(), [])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert verify(zoo) == []


@functools.cache
def weights_of(cell_id: str) -> dict[int, dict[str, np.ndarray]]:
    return cell_weights(cell_id, cell_rows(cell_id))


def streamed(shard: Shard, name: str) -> Iterator[np.ndarray]:
    """The tiny zoo's weights, two checkpoints at a time."""
    places = list(zip(shard.rows["cell_id"], shard.rows["seed"], strict=True))
    for first in range(0, len(places), 2):
        yield np.stack([weights_of(cell)[shard.epoch][name][seed] for cell, seed in places[first : first + 2]])


def test_a_streamed_zoo_is_the_one_that_staged_cells_make(built_tiny_zoo: Path, writer: ZooWriter) -> None:
    made = load_zoo(built_tiny_zoo)
    splits = [made.split(protocol) for protocol in made.protocols]
    table = pd.concat([cell_rows(cell_id) for cell_id in CELLS], ignore_index=True)
    zoo = writer.stream(tiny_card(), table, made.pairs, splits, streamed)
    assert zoo.manifest == made.manifest
    assert not zoo.path.with_name("zoo.partial").exists()


def test_an_interrupted_stream_goes_on_after_its_last_whole_shard(writer: ZooWriter) -> None:
    table = pd.concat([cell_rows(cell_id) for cell_id in CELLS], ignore_index=True)
    asked: list[str] = []

    def breaking(shard: Shard, name: str) -> Iterator[np.ndarray]:
        asked.append(shard.path)
        for block in streamed(shard, name):
            if len(set(asked)) == 3:
                raise KeyboardInterrupt
            yield block

    with pytest.raises(KeyboardInterrupt):
        writer.stream(tiny_card(), table, no_pairs(), [], breaking)
    assert not writer.destination.exists()
    third = asked[-1]
    asked.clear()
    killed = writer.destination.with_name("zoo.partial") / ".streamed" / "weights" / "w2" / ".2-0.safetensors.half"
    killed.write_text("half a shard, as SIGKILL leaves it")

    def counting(shard: Shard, name: str) -> Iterator[np.ndarray]:
        asked.append(shard.path)
        return streamed(shard, name)

    zoo = ZooWriter(writer.destination, RECIPE).stream(tiny_card(), table, no_pairs(), [], counting)
    assert verify(zoo) == []
    assert len(set(asked)) == 2
    assert asked[0] == third
