"""``wslbench zoo synthesise``, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from wslbench.cli.zoo import app
from wslbench.errors import RecipeError, ZooError

RUNNER = CliRunner(env={"COLUMNS": "200"})


def test_a_synthetic_zoo_is_written_and_marked(tmp_path: Path) -> None:
    command = ["synthesise", str(tmp_path / "zoo"), "--checkpoints", "1300", "--name", "synthetic-mine"]
    made = RUNNER.invoke(app, command, catch_exceptions=False)
    assert made.exit_code == 0
    assert "synthetic-mine, 1,300 checkpoints that were never trained" in made.stdout
    told = RUNNER.invoke(app, ["info", str(tmp_path / "zoo")], catch_exceptions=False).output
    assert "SYNTHETIC, for tests only" in told
    assert "65 values from 0.005 to 0.3" in told  # and no diagram of 65 lines
    assert "phase by" not in told
    with pytest.raises(ZooError, match="exists already"):
        RUNNER.invoke(app, command, catch_exceptions=False)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot have 5 checkpoints"):
        RUNNER.invoke(app, ["synthesise", str(tmp_path / "zoo"), "--checkpoints", "5"], catch_exceptions=False)
    wrong = RUNNER.invoke(app, ["synthesise", str(tmp_path / "zoo"), "--checkpoints", "500", "--widths", "2,x"])
    assert wrong.exit_code == 2
    assert "not whole numbers" in wrong.output
