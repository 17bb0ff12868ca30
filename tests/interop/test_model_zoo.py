"""The layout ``modelzoo``: small convolutional networks with and without layers for dropout, in both spellings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wslbench.architectures import Architecture
from wslbench.errors import ZooFormatError
from wslbench.interop import ImportOptions, import_zoo

OPTIONS = ImportOptions("published", None, None, None, "mnist", 60000)


def write_run(tree: Path, network: Architecture, spelling: str, seed: int = 0, **config: object) -> Path:
    """One run with checkpoints of epochs 0 and 25."""
    folder = tree / f"NN_tune_trainable_{len(list(tree.iterdir())):05d}"
    folder.mkdir()
    drop = network.arguments.get("dropout", 0.0)
    hyperparameters = {"seed": seed, "model::nlin": network.arguments["activation"], "model::dropout": drop, **config}
    (folder / "params.json").write_text(json.dumps(hyperparameters))
    epochs = range(26)
    # The first line is of epoch 1, as in some of these trees: the key counts, not the line.
    lines = [{"training_iteration": epoch, "test_acc": epoch / 100, "train_loss": 1.0} for epoch in epochs[1:]]
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for epoch in (0, 25):
        place = folder / spelling.format(epoch)
        place.mkdir()
        torch.manual_seed(seed + epoch)
        torch.save(network.module().state_dict(), place / "checkpoints")
    return folder


def network(size: int, activation: str = "tanh", **dropout: float) -> Architecture:
    arguments = {"image_size": size, "in_channels": 1 if size == 28 else 3, "classes": 10, "activation": activation}
    return Architecture(builder="cnn_modelzoo", arguments={**arguments, **dropout})


@pytest.mark.parametrize("spelling", ["checkpoint_{}", "checkpoint_{:06d}"])
def test_positions_with_and_without_dropout_are_told_apart(spelling: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    written = {}
    for rate in (0.001, 0.01):
        for made in (network(28), network(28, "relu"), network(28, dropout=0.5)):
            folder = write_run(tree, made, spelling, **{"optim::lr": rate})
            written[folder.name] = made
    zoo = import_zoo(tree, "modelzoo", tmp_path / "zoo", OPTIONS)
    assert zoo.protocols == ["new-load", "new-temperature"]
    assert len(zoo.table) == 12
    assert zoo.card.measured_epoch == 25
    assert np.allclose(zoo.table.query("epoch == 25")["test_accuracy"], 0.25)
    assert zoo.table.query("epoch == 0")["test_accuracy"].isna().all()
    for model, file in zip(zoo.models(), zoo.table["file"], strict=True):
        assert model.architecture == written[file.split("/")[0]]
        saved = torch.load(tree / file, weights_only=True)
        assert all(torch.equal(saved[name], tensor) for name, tensor in model.module().state_dict().items())


def test_large_images_have_layers_that_drop_nothing(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for seed in (0, 1):
        write_run(tree, network(32, dropout=0), "checkpoint_{}", seed, **{"optim::lr": 0.1})
    zoo = import_zoo(tree, "modelzoo", tmp_path / "zoo", OPTIONS)
    assert list(zoo.card.architectures.values()) == [network(32, dropout=0)]
    assert zoo.table["cell_id"].nunique() == 1
    assert sorted(zoo.table.query("measured")["seed"]) == [0, 1]
    assert zoo.protocols == []


class ModelDatasetBase:
    """The published class, as far as it is pickled."""

    def __init__(self, models: list[dict[str, torch.Tensor]], epochs: list[int], properties: object) -> None:
        self.data_in = models
        self.data_out = models[:1]
        self.epochs = epochs
        self.paths = [Path(f"/somewhere/{id(self)}/NN_tune_trainable_{number // 2}") for number in range(len(models))]
        self.properties = properties
        self.weight_threshold = float("inf")
        self.ds_split = [0.7, 0.3]


@pytest.mark.parametrize("known", [True, False])
def test_preprocessed_files_are_read_without_their_class(known: bool, tmp_path: Path) -> None:
    made = network(28)
    torch.manual_seed(0)
    states = [{name: torch.randn_like(value) for name, value in made.module().state_dict().items()} for _ in range(8)]
    sets = {}
    for name, first in (("trainset", 0), ("testset", 4)):
        properties = {
            "test_acc": [0.1 * (first + number) for number in range(4)],
            "optim::lr": [0.1 if first else 0.2] * 4,
            "model::dropout": [0.0] * 4,
            "seed": [0, 0, 1, 1],
            "model::nlin": ["tanh"] * 4,
        }
        sets[name] = ModelDatasetBase(states[first : first + 4], [0, 25, 0, 25], properties if known else None)
    folder = tmp_path / "files"
    folder.mkdir()
    torch.save(sets | {"valset": None}, folder / "dataset.pt")
    options = OPTIONS if known else replace(OPTIONS, load="network", temperature="epoch")
    zoo = import_zoo(folder, "modelzoo", tmp_path / "zoo", options)
    assert len(zoo.table) == 8
    if known:
        assert list(zoo.card.architectures.values()) == [made]
        assert zoo.table["cell_id"].nunique() == 2
        assert zoo.protocols == ["new-temperature"]
    for model, (_, row) in zip(zoo.models(), zoo.table.iterrows(), strict=True):
        number = row["line"] + (4 if row["set"] == "testset" else 0)
        assert row["epoch"] == (0, 25)[number % 2]
        assert all(torch.equal(states[number][name], tensor) for name, tensor in model.state_dict().items())
        if known:
            assert row["test_accuracy"] == pytest.approx(0.1 * number)


def test_properties_do_not_say_where_the_weights_are(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    states = [network(28).module().state_dict() for _ in range(2)]
    torch.save({"trainset": ModelDatasetBase(states, [0, 0], None)}, tmp_path / "outside.pt")
    own = {
        "file": ["../outside.pt", "../outside.pt"],
        "set": ["no", "no"],
        "line": [7, 8],
        "image_size": [1, 1],
        "optim::lr": [0.1, 0.2],
        "model::dropout": [0.0, 0.0],
        "model::nlin": ["tanh", "tanh"],
    }
    torch.save({"trainset": ModelDatasetBase(states, [0, 0], own)}, folder / "dataset.pt")
    zoo = import_zoo(folder, "modelzoo", tmp_path / "zoo", OPTIONS)
    assert zoo.table.sort_values("line")[["file", "set", "line"]].to_numpy().tolist() == [
        ["dataset.pt", "trainset", 0],
        ["dataset.pt", "trainset", 1],
    ]
    assert sorted(zoo.table["config_line"]) == [7, 8]
    assert set(zoo.table["image_size"]) == {28}


class Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    "content",
    [
        {"trainset": Payload()},
        {"trainset": ModelDatasetBase([Payload()], [0], None)},  # type: ignore[list-item]
        {"trainset": 3},
        {"otherset": ModelDatasetBase([], [], None)},
        {"trainset": ModelDatasetBase([torch.ones(3)], [0], None)},  # type: ignore[list-item]
        {"trainset": ModelDatasetBase([{"module_list.0.weight": torch.ones(3)}], [], None)},
        {"trainset": ModelDatasetBase([{"module_list.0.weight": torch.ones(3)}], [0], {"seed": [1, 2]})},
    ],
)
def test_files_of_anything_else_are_refused(content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "dataset.pt")
    with pytest.raises(ZooFormatError, match=r"dataset\.pt"):
        import_zoo(tmp_path, "modelzoo", tmp_path / "zoo", OPTIONS)
    assert not (tmp_path / "executed").exists()


def test_other_networks_are_refused(tmp_path: Path) -> None:
    other = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [2], "out_features": 1})
    made = Architecture(builder="mlp", arguments={**other.arguments, "activation": "tanh"})
    folder = write_run(tmp_path, made, "checkpoint_{}", **{"optim::lr": 0.1})
    with pytest.raises(ZooFormatError, match=rf"{folder.name}: the tensors layers\.0\.weight"):
        import_zoo(tmp_path, "modelzoo", tmp_path / "zoo", OPTIONS)
