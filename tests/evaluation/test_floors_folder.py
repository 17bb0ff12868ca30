"""Where the floors of a task are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from wslbench.bundled import bundled_path
from wslbench.evaluation.floors import floors_folder
from wslbench.tasks import load_tasks


@pytest.mark.parametrize("suite", ["default", "generation"])
def test_tasks_that_ship_are_held_against_committed_results_alone(suite: str, tmp_path: Path) -> None:
    (tmp_path / "chance").mkdir()
    for task in load_tasks().suites[suite]:
        (tmp_path / "chance" / f"{task}.json").write_text("{}")
        assert floors_folder(task, tmp_path) == bundled_path("results")


def test_tasks_of_ones_own_are_held_against_ones_own_results(tmp_path: Path) -> None:
    assert floors_folder("my-zoo.tau", tmp_path) == tmp_path
