"""The seal: what a sealed process may not load. Sealing cannot be undone, so each case is a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zoos import NAME
from wslbench.zoo import load_zoo, sealed

ROOT = Path(__file__).parents[2]
PRELUDE = """
import importlib, subprocess, sys
from pathlib import Path
from wslbench.zoo import load_zoo, seal, sealed
embedded = Path(sys.argv[1])
for name in ("loading", "seal"):
    importlib.import_module("wslbench.zoo." + name).embedded_zoos_path = lambda: embedded
"""


def outcome(script: str, *arguments: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    finished = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    return (finished.stdout + finished.stderr).strip().splitlines()[-1]


@pytest.fixture
def embedded(built_tiny_zoo: Path, tmp_path: Path) -> Path:
    """A folder that plays the part of the package's embedded zoos."""
    shutil.copytree(built_tiny_zoo, tmp_path / "embedded" / NAME)
    return tmp_path / "embedded"


def test_this_process_is_not_sealed() -> None:
    assert not sealed()


def test_without_a_seal_an_embedded_zoo_is_found_by_name(embedded: Path) -> None:
    assert outcome(f"print(load_zoo({NAME!r}))", embedded) == f"Zoo({NAME!r}, 60 checkpoints)"


def test_a_sealed_process_refuses_an_embedded_zoo_by_name(embedded: Path) -> None:
    assert "SealedError" in outcome(f"seal(); load_zoo({NAME!r})", embedded)


def test_a_sealed_process_refuses_an_embedded_zoo_by_path_and_link(embedded: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(embedded / NAME)
    for path in (embedded / NAME, tmp_path / "link", embedded / ".." / "embedded" / NAME):
        assert "SealedError" in outcome("seal(); load_zoo(Path(sys.argv[2]))", embedded, path)


def test_the_class_itself_is_sealed_too(embedded: Path) -> None:
    assert "SealedError" in outcome(f"from wslbench import Zoo; seal(); Zoo(embedded / {NAME!r})", embedded)


def test_a_sealed_process_refuses_a_copy_of_an_embedded_zoo(embedded: Path, built_tiny_zoo: Path) -> None:
    assert "SealedError" in outcome("seal(); load_zoo(sys.argv[2])", embedded, built_tiny_zoo)


def test_a_sealed_process_refuses_the_hidden_zoo_and_loads_others(built_tiny_zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    secret = load_zoo(built_tiny_zoo).versions["weights"]
    script = "seal([{!r}]); seal(); print(load_zoo(sys.argv[2]))"
    assert "SealedError" in outcome(script.format(secret), tmp_path / "none", built_tiny_zoo)
    assert outcome(script.format("0" * 64), tmp_path / "none", built_tiny_zoo).startswith("Zoo(")


def test_processes_that_a_sealed_one_starts_are_sealed(embedded: Path) -> None:
    script = "seal(); subprocess.run([sys.executable, '-c', 'from wslbench.zoo import sealed; print(sealed())'])"
    assert outcome(script, embedded) == "True"
