"""The phase diagram: what is drawn, and what is refused."""

import pytest
from typer.testing import CliRunner

from wslbench.cli.zoo import app
from wslbench.errors import LandscapeError, ZooError
from wslbench.landscape.diagram import draw_phase_diagram
from wslbench.zoo import load_zoo

RUNNER = CliRunner()


def test_svg_names_axes_and_every_phase(built_tiny_zoo, tmp_path):
    zoo = load_zoo(built_tiny_zoo)
    draw_phase_diagram(zoo, tmp_path / "phases.svg")
    text = (tmp_path / "phases.svg").read_text()
    assert f"{zoo.card.load.label} (load)" in text
    assert f"{zoo.card.temperature.label} (temperature)" in text
    for phase, count in zoo.cells["phase"].value_counts().items():
        assert text.count(f">{phase}</text>") == count
    assert list(tmp_path.iterdir()) == [tmp_path / "phases.svg"]


def test_png_by_the_command_line(built_tiny_zoo, tmp_path):
    result = RUNNER.invoke(app, ["plot", str(built_tiny_zoo), "--out", str(tmp_path / "phases.png")])
    assert result.exit_code == 0
    assert (tmp_path / "phases.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["phases.gif", "nowhere/phases.png"])
def test_a_picture_that_cannot_be_written_is_refused(built_tiny_zoo, tmp_path, name):
    result = RUNNER.invoke(app, ["plot", str(built_tiny_zoo), "--out", str(tmp_path / name)])
    assert isinstance(result.exception, ZooError)
    assert list(tmp_path.iterdir()) == []


def test_a_zoo_without_phases_is_refused(built_tiny_zoo, tmp_path, monkeypatch):
    zoo = load_zoo(built_tiny_zoo)
    monkeypatch.setattr(zoo, "card", zoo.card.model_copy(update={"phase_rule": None}), raising=False)
    with pytest.raises(LandscapeError, match="no phases"):
        draw_phase_diagram(zoo, tmp_path / "phases.png")
