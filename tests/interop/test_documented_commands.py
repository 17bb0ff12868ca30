"""The documents' commands and files about imports, as they stand there, on folders like those that they speak of."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.interop.phase_zoo import write_run
from tests.interop.test_model_zoo import network
from tests.interop.test_model_zoo import write_run as write_model_zoo_run
from tests.interop.test_small_cnn_zoo import write_small_cnn_zoo
from wslbench.cli import app
from wslbench.evaluation.floors import FLOORS
from wslbench.zoo import load_zoo

ROOT = Path(__file__).resolve().parents[2]
IMPORTING = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")


def run(command: str) -> str:
    """Give a command, in the working folder; its standard output."""
    result = CliRunner().invoke(app, shlex.split(command)[1:], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def commands_of(section: str) -> list[str]:
    """The commands in a section's blocks, those of several lines in one."""
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", "").splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_layers(file: Path, widths: list[int], generator: np.random.Generator) -> None:
    """A perceptron's state dict of float32, as an ``.npz`` file."""
    tensors = {}
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        tensors[f"layers.{number}.weight"] = generator.normal(size=(outputs, inputs)).astype(np.float32)
        tensors[f"layers.{number}.bias"] = generator.normal(size=outputs).astype(np.float32)
    np.savez(file, **tensors)


@pytest.mark.parametrize("floors", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_from_a_folder_to_a_score(here: Path, floors: bool) -> None:
    """The section of that name: names, shapes and metadata of the fixture are those of the published networks."""
    section = IMPORTING.split("## From an imported zoo to a score")[1].split("\n## ")[0]
    generator = np.random.default_rng(0)
    (here / "acasxu").mkdir()
    rows = []
    for advisory in range(1, 6):
        for tau in range(1, 10):
            name = f"acasxu_{advisory}_{tau}.npz"
            write_layers(here / "acasxu" / name, [5, *6 * [50], 5], generator)
            rows.append({"file": name, "previous_advisory": advisory, "tau": tau})
    pd.DataFrame(rows).to_csv(here / "acasxu" / "metadata.csv", index=False)
    (tasks,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert len(tasks.splitlines()) == 10
    Path("my_tasks.yaml").write_text(tasks)

    bring_in, begin, validate, evaluate = commands_of(section)
    assert "45 checkpoints, splits: new-load, new-temperature" in run(bring_in)
    run(begin)
    assert "All 2 tasks can be asked" in run(validate)
    assert evaluate.endswith(" --floors")
    run(evaluate.removesuffix("--floors") + ("--floors" if floors else "") + " --seeds 1 --task my-zoo.tau")
    (file,) = Path("runs").glob("my*/my-zoo.tau.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    assert (record["status"], record["coverage"]) == ("ok", 1.0)
    # A task of one's own has no committed floors: they are those that were evaluated beside the method.
    assert set(record["floors"]) == (set(FLOORS) if floors else set())
    assert (record["lift"] is not None) == floors


def test_the_command_of_the_readme(here: Path) -> None:
    (command,) = re.findall(r"`(wslbench zoo import [^`]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    (here / "my-networks").mkdir()
    rows = [{"file": f"{width}-{rate}.npz", "width": width, "rate": rate} for width in (2, 3) for rate in (0.1, 0.2)]
    for row in rows:
        write_layers(here / "my-networks" / str(row["file"]), [2, int(row["width"]), 2], np.random.default_rng(0))
    pd.DataFrame(rows).to_csv(here / "my-networks" / "metadata.csv", index=False)
    assert "4 checkpoints, splits: new-load, new-temperature" in run(command)


def write_phase_zoo(tree: Path) -> None:
    """A grid of two widths by two batch sizes."""
    for width in (1, 2):
        for batch_size in (16, 32):
            write_run(tree, width, batch_size, 0, epochs=[6])


def write_model_zoo(tree: Path) -> None:
    """A grid of two shares of dropout by two learning rates."""
    tree.mkdir()
    for rate in (0.1, 0.2):
        for dropout in (0.0, 0.5):
            write_model_zoo_run(tree, network(28, dropout=dropout), "checkpoint_{}", **{"optim::lr": rate})


@pytest.mark.parametrize(
    ("layout", "write"),
    [("ptmz", write_phase_zoo), ("modelzoo", write_model_zoo), ("smallcnn", write_small_cnn_zoo)],
)
def test_the_commands_of_the_table(layout: str, write: Callable[[Path], object], here: Path) -> None:
    """``DIR`` is the only thing to fill in for layouts whose files say all."""
    (command,) = re.findall(rf"`(wslbench zoo import DIR --format {layout} [^`]+)`", IMPORTING)
    write(here / "DIR")
    assert "splits: new-load, new-temperature" in run(command)
    zoo = load_zoo("my-zoo")
    assert f"--train-size {zoo.card.data_set.train_size} --test-size {zoo.card.data_set.test_size}" in command
