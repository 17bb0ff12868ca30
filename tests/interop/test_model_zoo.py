"""The layout ``modelzoo``: small convolutional networks with and without layers for dropout, in both spellings."""

from __future__ import annotations

import json
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


def test_other_networks_are_refused(tmp_path: Path) -> None:
    other = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [2], "out_features": 1})
    made = Architecture(builder="mlp", arguments={**other.arguments, "activation": "tanh"})
    folder = write_run(tmp_path, made, "checkpoint_{}", **{"optim::lr": 0.1})
    with pytest.raises(ZooFormatError, match=rf"{folder.name}: the tensors layers\.0\.weight"):
        import_zoo(tmp_path, "modelzoo", tmp_path / "zoo", OPTIONS)
