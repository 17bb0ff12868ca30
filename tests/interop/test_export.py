"""Zoos exported and taken back: other tools read what is there, and nothing is lost on the way."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from tests.interop.controllers import OPTIONS, write_controllers
from wslbench.cli.zoo import app
from wslbench.errors import ZooDamagedError, ZooError, ZooFormatError
from wslbench.interop import export_zoo, import_zoo
from wslbench.zoo import load_zoo


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("layout", ["state-dicts", "table"])
def test_a_zoo_comes_back_bit_for_bit(layout: str, built_tiny_zoo: Path, tmp_path: Path) -> None:
    call("export", built_tiny_zoo, "--format", layout, "--out", tmp_path / "exported")
    call("import", tmp_path / "exported", "--format", layout, "--out", tmp_path / "back")
    before, after = load_zoo(built_tiny_zoo), load_zoo(tmp_path / "back")
    assert after.versions == before.versions
    assert after.manifest == before.manifest
    assert after.card == before.card
    pd.testing.assert_frame_equal(after.table, before.table)
    files = [path.relative_to(built_tiny_zoo) for path in built_tiny_zoo.rglob("*.safetensors")]
    assert filecmp.cmpfiles(built_tiny_zoo, tmp_path / "back", files, shallow=False)[0] == files


def test_state_dicts_are_what_torch_takes(built_tiny_zoo: Path, tmp_path: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    export_zoo(zoo, "state-dicts", tmp_path / "exported")
    metadata = pd.read_csv(tmp_path / "exported" / "metadata.csv")
    assert metadata.columns[0] == "file"
    assert metadata["test_accuracy"].tolist() == zoo.table["test_accuracy"].tolist()
    for model, file in zip(zoo.models(), metadata["file"], strict=True):
        model.architecture.module().load_state_dict(load_file(tmp_path / "exported" / file))


def test_a_table_is_read_by_numpy_and_pandas(built_tiny_zoo: Path, tmp_path: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    export_zoo(zoo, "table", tmp_path / "exported")
    metadata = pd.read_csv(tmp_path / "exported" / "metadata.csv")
    for model, row in zip(zoo.models(), metadata.itertuples(), strict=True):
        matrix = np.load(tmp_path / "exported" / row.file)
        layout = pd.read_csv(tmp_path / "exported" / row.file.replace(".npy", ".csv"))
        assert layout["end_idx"].iloc[-1] == matrix.shape[1]
        for place in layout.itertuples():
            expected = model.tensors()[place.varname]
            assert str(expected.shape) == place.shape
            assert np.array_equal(matrix[row.line, place.start_idx : place.end_idx], expected.ravel())


def test_networks_without_an_architecture_come_back_too(tmp_path: Path) -> None:
    options = OPTIONS.__class__(**{**OPTIONS.__dict__, "architecture": None})
    zoo = import_zoo(write_controllers(tmp_path / "source"), "state-dicts", tmp_path / "zoo", options)
    for layout in ("state-dicts", "table"):
        export_zoo(zoo, layout, tmp_path / layout)
        assert import_zoo(tmp_path / layout, layout, tmp_path / f"{layout}-back", options).versions == zoo.versions


def test_what_was_changed_meanwhile_is_not_the_zoo(built_tiny_zoo: Path, tmp_path: Path) -> None:
    export_zoo(load_zoo(built_tiny_zoo), "table", tmp_path / "exported")
    path = next((tmp_path / "exported").glob("*.npy"))
    matrix = np.load(path)
    matrix[0, 0] += 1
    np.save(path, matrix)
    with pytest.raises(ZooDamagedError, match="its weights are others"):
        import_zoo(tmp_path / "exported", "table", tmp_path / "back", OPTIONS)
    assert not (tmp_path / "back").exists()
    layout = path.with_suffix(".csv")
    layout.write_text(layout.read_text().replace('"(', '"(1, '))
    np.save(path, matrix[:, 1:])
    with pytest.raises(ZooFormatError, match="the tensors fill"):
        import_zoo(tmp_path / "exported", "table", tmp_path / "again", OPTIONS)


def test_nothing_is_overwritten_and_nothing_made_up(built_tiny_zoo: Path, tmp_path: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(ZooError, match="exists already"):
        export_zoo(zoo, "table", tmp_path / "taken")
    with pytest.raises(ZooFormatError, match="there are state-dicts, table"):
        export_zoo(zoo, "pickle", tmp_path / "exported")
    with pytest.raises(ZooFormatError, match="holds no exported zoo"):
        import_zoo(tmp_path / "taken", "table", tmp_path / "back", OPTIONS)
    assert not (tmp_path / "exported").exists()
