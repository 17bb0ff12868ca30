"""The layout ``ptmz``, against trees that have everything odd which the published ones have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.interop.phase_zoo import LANDSCAPE_EPOCH, METRICS, PLANNED, loss, write_run
from wslbench.errors import ZooFormatError
from wslbench.interop import ImportOptions, import_zoo
from wslbench.interop.left_out import told
from wslbench.interop.tune_trees import list_phase_zoo
from wslbench.zoo import Zoo

OPTIONS = ImportOptions("published", None, None, None, "cifar-10", 50000, test_size=10000)


def listed(tree: Path) -> pd.DataFrame:
    return list_phase_zoo(tree, OPTIONS).table.set_index("file")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two widths by two batch sizes; one run came out of two cards, one was compiled, one is short."""
    tree = tmp_path_factory.mktemp("ptmz")
    write_run(tree, 1, 16, 0)
    write_run(tree, 1, 16, 1, prefix="module.")
    write_run(tree, 1, 512, 0, accumulated=4)
    write_run(tree, 2, 16, 0, last=5, epochs=(0, LANDSCAPE_EPOCH))
    write_run(tree, 2, 512, 0, prefix="_orig_mod.module.", restarted_at=3)
    (tree / "config.json").write_text("{}")
    (tree / "readme.md").write_text("")
    return tree


@pytest.fixture(scope="module")
def zoo(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return import_zoo(tree, "ptmz", tmp_path_factory.mktemp("imported") / "zoo", OPTIONS)


def test_every_weight_arrives_under_the_networks_own_names(zoo: Zoo, tree: Path) -> None:
    assert len(zoo.table) == 14
    for model, (_, row) in zip(zoo.models(), zoo.table.iterrows(), strict=True):
        saved = torch.load(tree / row["file"], weights_only=True)
        for name, tensor in model.state_dict().items():
            (written,) = (value for key, value in saved.items() if key.endswith(name) and key[: -len(name)] in PREFIXES)
            if tensor.is_floating_point():
                assert torch.equal(tensor, written)
        assert model.architecture.arguments["width"] == row["width"]


PREFIXES = ("", "module.", "_orig_mod.module.")


def test_cells_are_what_differs_in_more_than_the_seed(zoo: Zoo) -> None:
    assert (zoo.card.load.column, zoo.card.load.values) == ("width", [1, 2])
    assert (zoo.card.temperature.column, zoo.card.temperature.values) == ("batch_size", [16, 512])
    seeds = zoo.table[zoo.table["epoch"] == 0].groupby("cell_id")["seed"].apply(sorted)
    assert seeds.to_dict() == {
        "load=1_temperature=16": [0, 1],
        "load=1_temperature=512": [0],
        "load=2_temperature=16": [0],
        "load=2_temperature=512": [0],
    }
    assert zoo.table["phase"].isna().all()
    assert set(zoo.card.architectures) == {"resnet18-width1", "resnet18-width2"}


def test_metrics_of_the_landscape_stand_where_they_were_measured(zoo: Zoo) -> None:
    table = zoo.table
    assert zoo.card.measured_epoch == LANDSCAPE_EPOCH
    measured = table[table["measured"]]
    assert (measured["published_epoch"] == LANDSCAPE_EPOCH).all()
    for name, value in METRICS.items():
        expected = value + measured["width"] + measured["batch_size"] / 1000
        assert np.allclose(measured[f"published_{name}"], expected)
        assert table.loc[~table["measured"], f"published_{name}"].isna().all()


def test_accumulated_gradients_change_neither_batch_size_nor_loss(zoo: Zoo) -> None:
    rows = zoo.table[zoo.table["batch_size"] == 512].query("width == 1")
    assert len(rows) == 3
    expected = [loss(epoch) for epoch in rows["epoch"]]
    assert rows["logged_train_loss"].to_numpy() == pytest.approx(expected)
    assert rows["test_loss"].to_numpy() == pytest.approx([2 * value for value in expected])


def test_short_and_restarted_runs_are_flagged(zoo: Zoo) -> None:
    flags = zoo.table.drop_duplicates("run_id").set_index(["width", "batch_size", "seed"])
    assert flags.index[flags["short"]].tolist() == [(2, 16, 0)]
    assert flags.index[flags["unfinished"]].tolist() == [(2, 16, 0)]
    assert flags.index[flags["restarted"]].tolist() == [(2, 512, 0)]
    assert zoo.table["test_accuracy"].between(0, 1).all()


def test_hyperparameters_may_stand_in_a_file_of_another_name(tree: Path, tmp_path: Path) -> None:
    """In some releases every run has a config.json and no params.json."""
    shutil.copytree(tree, tmp_path / "tree")
    for path in (tmp_path / "tree").glob("*/params.json"):
        path.rename(path.with_name("config.json"))
    pd.testing.assert_frame_equal(listed(tmp_path / "tree"), listed(tree))


def test_a_line_says_its_epoch_itself_and_the_later_one_counts(tmp_path: Path) -> None:
    log = write_run(tmp_path, 1, 16, 0, epochs=(3,)) / "result.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    again = [line | {"test_loss": 9.0, "iterations_since_restore": 1} for line in lines[3:]]
    plain = [{key: value for key, value in line.items() if key not in METRICS} for line in [*lines, *again]]
    log.write_text("".join(json.dumps(line) + "\n" for line in plain))
    (row,) = listed(tmp_path).to_dict("records")
    assert (row["epoch"], row["test_loss"], row["restarted"], row["short"]) == (3, 9.0, True, False)


def test_lines_without_an_epoch_are_counted_from_0(tmp_path: Path) -> None:
    log = write_run(tmp_path, 1, 16, 0, epochs=(2,)) / "result.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        del line["training_iteration"], line["iterations_since_restore"]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (row,) = listed(tmp_path).to_dict("records")
    assert row["test_loss"] == pytest.approx(2 * loss(2))


def test_without_checkpoints_of_the_annotated_epoch_its_metrics_say_which_they_are_of(tmp_path: Path) -> None:
    write_run(tmp_path, 1, 16, 0, epochs=(0, PLANNED))
    table = listed(tmp_path)
    assert table["published_epoch"].dropna().tolist() == [LANDSCAPE_EPOCH]
    assert table["epoch"][table["published_epoch"].notna()].tolist() == [PLANNED]


def test_a_killed_run_leaves_half_a_line(tmp_path: Path) -> None:
    log = write_run(tmp_path, 1, 16, 0) / "result.json"
    log.write_text(log.read_text() + '{"train_loss": 0.')
    assert listed(tmp_path)["short"].all()


def test_a_run_that_was_killed_and_restored_leaves_half_a_line_in_the_middle(tmp_path: Path) -> None:
    log = write_run(tmp_path, 1, 16, 0, epochs=(3, LANDSCAPE_EPOCH)) / "result.json"
    lines = log.read_text().splitlines()
    half = [*lines[:2], lines[2][:40] + lines[2], *lines[3:5], *lines[LANDSCAPE_EPOCH:]]
    log.write_text("".join(line + "\n" for line in half))
    table = listed(tmp_path)
    assert table["restarted"].all()
    assert not table["short"].any()
    assert table["test_loss"].tolist() == pytest.approx([2 * loss(epoch) for epoch in (3, LANDSCAPE_EPOCH)])
    assert table["published_epoch"].dropna().tolist() == [LANDSCAPE_EPOCH]


@pytest.mark.parametrize("log", ["", None])
def test_a_run_without_a_checkpoint_is_named_and_left_out(log: str | None, tmp_path: Path) -> None:
    for batch_size in (8, 16):
        write_run(tmp_path / "tree", 1, batch_size, 0, epochs=(0,))
    empty = write_run(tmp_path / "tree", 2, 8, 0, epochs=())
    if log is not None:
        (empty / "result.json").write_text(log)
    zoo = import_zoo(tmp_path / "tree", "ptmz", tmp_path / "zoo", OPTIONS)
    assert set(zoo.table["width"]) == {1}
    assert zoo.card.recipe["left_out"] == {
        "counts": {"without a checkpoint": 1},
        "names": {empty.name: "without a checkpoint"},
    }
    assert told(zoo.card) == f"left out 1 (1 without a checkpoint): {empty.name}; all are listed in zoo.yaml"


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_run_whose_loss_is_not_finite_is_unfinished(value: str, tmp_path: Path) -> None:
    write_run(tmp_path / "tree", 1, 8, 0)
    log = write_run(tmp_path / "tree", 1, 16, 0) / "result.json"
    first, *lines = log.read_text().splitlines()
    lines = [line if number < 4 else line.replace(f'"train_loss": {loss(number + 1)}', f'"train_loss": {value}')
             for number, line in enumerate(lines)]  # fmt: skip
    log.write_text("\n".join([first, *lines]) + "\n")
    assert value in lines[-1]
    table = import_zoo(tmp_path / "tree", "ptmz", tmp_path / "zoo", OPTIONS).table
    assert set(table["batch_size"][table["unfinished"]]) == {16}
    assert table["diverged"].equals(table["unfinished"])
    assert table["unfinished"].sum() == 3


def test_a_measured_checkpoint_without_its_numbers_is_unfinished(tmp_path: Path) -> None:
    for batch_size in (8, 16):
        log = write_run(tmp_path / "tree", 1, batch_size, 0) / "result.json"
    lines = [line for line in log.read_text().splitlines() if f'"training_iteration": {LANDSCAPE_EPOCH}' not in line]
    log.write_text("\n".join(lines) + "\n")
    table = import_zoo(tmp_path / "tree", "ptmz", tmp_path / "zoo", OPTIONS).table
    unfinished = table[table["unfinished"]]
    assert unfinished[["batch_size", "measured"]].to_numpy().tolist() == [[16, True]]
    assert np.isfinite(table.query("measured and not unfinished")["test_accuracy"]).all()


def test_the_learning_rate_is_the_temperature_where_the_batch_size_is_one(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path, 1, 16, seed, epochs=(0,))
    assert list_phase_zoo(tmp_path, OPTIONS).temperature == "learning_rate"


def test_networks_of_another_type_come_in_as_tensors(tmp_path: Path) -> None:
    for batch_size in (8, 16):
        write_run(tmp_path / "tree", 1, batch_size, 0, epochs=(0,), model_type="Something_else")
    zoo = import_zoo(tmp_path / "tree", "ptmz", tmp_path / "zoo", replace(OPTIONS, load="batch_size"))
    assert {network.builder for network in zoo.card.architectures.values()} == {"tensors"}


def test_hyperparameters_do_not_say_where_the_weights_are(tmp_path: Path) -> None:
    torch.save({"w": torch.full((3,), 42.0)}, tmp_path / "secret.pt")
    for batch_size in (8, 16):
        run = write_run(tmp_path / "tree", 1, batch_size, 0, epochs=(0,))
        config = json.loads((run / "params.json").read_text())
        config |= {
            "file": "../secret.pt",
            "run_id": "mine",
            "model::epoch": 3,
            "published_epoch": 9,
            "unfinished": True,
        }
        (run / "params.json").write_text(json.dumps(config))
    zoo = import_zoo(tmp_path / "tree", "ptmz", tmp_path / "zoo", OPTIONS)
    assert all(name.endswith("/checkpoint_000000/checkpoints") for name in zoo.table["file"])
    assert {architecture.builder for architecture in zoo.card.architectures.values()} == {"resnet18"}
    told = zoo.table[["config_file", "config_run_id", "config_epoch", "config_published_epoch", "config_unfinished"]]
    assert told.drop_duplicates().to_numpy().tolist() == [["../secret.pt", "mine", 3, 9, True]]
    assert not zoo.table["unfinished"].any()


def _text(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda run: (run / name).write_text(change((run / name).read_text()))  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_text("params.json", lambda text: text[:-5]), r"params\.json cannot be read as JSON"),
        (_text("params.json", lambda text: "[]"), r"params\.json is no JSON object"),
        (_text("params.json", lambda text: text.replace('"seed"', '"sow"')), "name no seed"),
        (_text("result.json", lambda text: "{\n" * 101 + text), r"more than 100 lines are no JSON"),
        (_text("result.json", lambda text: "[1]\n" + text), r"result\.json, line 1 is no JSON object"),
        (_text("result.json", lambda text: text.replace('"test_acc": 0.1', '"test_acc": 51.0')), "are fractions"),
        (_text("result.json", lambda text: text.replace("NaN", "1.5")), "landscape stand on the line of epoch 0"),
        (_text("result.json", lambda text: text.replace('steps": 1,', 'steps": 0,')), "no number of steps"),
        (lambda run: (run / "checkpoint_4").mkdir() or (run / "checkpoint_4/checkpoints").touch(), "the same epoch"),
        (lambda run: (run / "params.json").unlink(), r"neither params\.json nor config\.json"),
        (
            lambda run: [path.unlink() for path in run.glob("checkpoint_*/checkpoints")],
            "holds no run with a checkpoint_NNNNNN/checkpoints",
        ),
        (lambda run: (run.parent / "link").symlink_to(run), "link, or its result.json, is a link"),
    ],
)
def test_what_is_malformed_is_refused_by_name(spoil: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    run = write_run(tmp_path, 1, 16, 0)
    spoil(run)
    with pytest.raises(ZooFormatError, match=message):
        list_phase_zoo(tmp_path, OPTIONS)
