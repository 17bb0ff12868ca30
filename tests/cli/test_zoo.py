"""``wslbench zoo``: what it prints and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.zoos import NAME
from wslbench.cli.zoo import app
from wslbench.errors import ZooDamagedError, ZooNotFoundError
from wslbench.zoo import embedded_zoos, load_zoo

RUNNER = CliRunner(env={"COLUMNS": "100"})


def test_info_shows_grid_phases_and_versions(built_tiny_zoo: Path) -> None:
    result = RUNNER.invoke(app, ["info", str(built_tiny_zoo)])
    assert result.exit_code == 0
    assert "30 in 10 cells" in result.output
    assert "IV-A: 2 cells" in result.output
    assert load_zoo(built_tiny_zoo).versions["weights"] in result.output
    rows = [line.split() for line in result.output.splitlines()]
    heading = rows.index(["2", "3"])
    assert [row[1:] for row in rows[heading + 1 : heading + 6]] == [
        ["IV-B", "I"],
        ["IV-A", "IV-B"],
        ["III", "IV-A"],
        ["II", "III"],
        ["I", "II"],
    ]
    hot_to_cold = [float(row[0]) for row in rows[heading + 1 : heading + 6]]
    assert hot_to_cold == sorted(load_zoo(built_tiny_zoo).card.temperature.values, reverse=True)


def test_list_names_every_embedded_zoo() -> None:
    result = RUNNER.invoke(app, ["list"])
    assert result.exit_code == 0
    for name in embedded_zoos():
        assert name in result.output


def test_verify_says_that_a_zoo_is_sound(built_tiny_zoo: Path) -> None:
    result = RUNNER.invoke(app, ["verify", str(built_tiny_zoo)])
    assert (result.exit_code, result.output) == (0, f"{NAME}: sound (60 checkpoints in 4 shards, 4 splits)\n")


def test_verify_fails_on_damage(tiny_zoo: Path) -> None:
    shard = tiny_zoo / "weights/w3/2-0.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    error = RUNNER.invoke(app, ["verify", str(tiny_zoo)]).exception
    assert isinstance(error, ZooDamagedError)
    assert "w3/2-0.safetensors is damaged" in str(error)
    assert error.exit_code == 2


@pytest.mark.parametrize("command", ["info", "verify"])
def test_an_unknown_zoo_is_named(command: str) -> None:
    assert isinstance(RUNNER.invoke(app, [command, "nonsense"]).exception, ZooNotFoundError)


def test_importing_the_command_loads_nothing_heavy() -> None:
    script = "import sys, wslbench.cli.zoo; print(*{'torch', 'pandas', 'scipy', 'pydantic', 'rich'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.split() == []
