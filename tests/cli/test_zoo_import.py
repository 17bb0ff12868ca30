"""``wslbench zoo import``, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.interop.controllers import write_controllers
from wslbench.architectures import Architecture
from wslbench.cli.zoo import app
from wslbench.errors import ArchitectureError, ZooFormatError
from wslbench.hub.address import HubAddress
from wslbench.hub.dataset_card import dataset_card
from wslbench.zoo import load_zoo

GRID = ["--load", "tau", "--temperature", "previous_advisory"]


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["import", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_folder_comes_in_by_one_command(tmp_path: Path) -> None:
    source = write_controllers(tmp_path / "source")
    told = call(
        *(source, "--format", "state-dicts", *GRID, "--train-size", 1000, "--out", tmp_path / "controllers"),
        *("--architecture", "mlp in_features=5 hidden=[6,6] out_features=5 activation=relu"),
    )
    assert "12 checkpoints, splits: new-load, new-temperature" in told
    zoo = load_zoo(tmp_path / "controllers")
    assert zoo.name == "controllers"
    assert zoo.models()[0].architecture.arguments["hidden"] == [6, 6]


def test_arguments_are_taken_from_columns(tmp_path: Path) -> None:
    rows = []
    for width in (2, 3):
        made = Architecture(builder="mlp", arguments={"in_features": 1, "hidden": [2], "out_features": width})
        np.savez(
            tmp_path / f"{width}.npz", **{name: value.numpy() for name, value in made.module().state_dict().items()}
        )
        rows.append({"file": f"{width}.npz", "width": width, "rate": 0.1})
    pd.DataFrame(rows).to_csv(tmp_path / "list.csv", index=False)
    call(
        *(tmp_path, "--format", "state-dicts", "--metadata", tmp_path / "list.csv", "--load", "width"),
        *("--temperature", "rate", "--train-size", 10, "--out", tmp_path / "zoo"),
        *("--architecture", "mlp in_features=1 hidden=[2] out_features=@width"),
    )
    assert sorted(load_zoo(tmp_path / "zoo").card.architectures) == ["mlp-width2", "mlp-width3"]


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    source = write_controllers(tmp_path / "source")
    command = [source, "--format", "state-dicts", "--out", tmp_path / "zoo"]
    with pytest.raises(
        ZooFormatError, match="by --load and --temperature; there are file, previous_advisory, tau, score"
    ):
        call(*command)
    with pytest.raises(ArchitectureError, match="is not of the form 'BUILDER key=value"):
        call(*command, *GRID, "--architecture", "mlp hidden")
    assert not (tmp_path / "zoo").exists()


def test_the_card_says_what_the_user_says(tmp_path: Path) -> None:
    said = {
        "name": "encounters",
        "description": "Controllers that turn away in time.",
        "modality": "physics",
        "licence": "CC-BY-4.0",
        "citation": "Whoever trained them",
    }
    words = [word for option, value in said.items() for word in (f"--{option}", value)]
    call(write_controllers(tmp_path / "source"), "--format", "state-dicts", *GRID, *words, "--out", tmp_path / "zoo")
    zoo = load_zoo(tmp_path / "zoo")
    assert {field: getattr(zoo.card, field) for field in said} == said
    card = dataset_card(zoo, HubAddress("me/zoo"), has_picture=False)
    assert all(value in card for value in ("Controllers that turn away in time.", "unknown (physics)", "CC-BY-4.0"))


def test_how_large_the_data_are_need_not_be_known(tmp_path: Path) -> None:
    source = write_controllers(tmp_path / "source")
    call(source, "--format", "state-dicts", *GRID, "--out", tmp_path / "zoo")
    zoo = load_zoo(tmp_path / "zoo")
    assert (zoo.card.data_set.train_size, zoo.card.data_set.sizes) == (None, "of unknown size")
    card = dataset_card(zoo, HubAddress("me/zoo"), has_picture=False)
    assert "| trained on | unknown (unknown), of unknown size |" in card
    told = CliRunner().invoke(app, ["info", str(tmp_path / "zoo")], catch_exceptions=False).stdout
    assert "of unknown size" in told
