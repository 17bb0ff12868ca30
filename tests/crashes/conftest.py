"""What all these tests share: the costly parts of every command answered from memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.annotation.foreign import OPTIONS, foreign_zoo
from tests.crashes.canned import Canned, CannedCells
from tests.engines.here import Here
from tests.population.recipes import TINY, tiny_recipe
from wslbench.annotation import jobs
from wslbench.evaluation import assignment, task_run, work
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_info import Declared
from wslbench.evaluation.unit import Unit, UnitResult
from wslbench.leaderboard import building
from wslbench.leaderboard.site import writing
from wslbench.population import grow, measurement
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo

SMALL = TINY | {
    "load": {"column": "width", "label": "width", "values": [1]},
    "temperature": {"column": "learning_rate", "label": "learning rate", "values": [0.01, 0.05]},
    "unfinished_check": "none",
    "stacking": "one_by_one",
    "optimisation": {"epochs": 2, "batch_size": 120},
    "curve": {"epochs": 1, "batch_size": 240, "learning_rate": 0.05, "schedule": "cosine"},
    "hessian": {"subset_size": 8, "maximum_probes": 8, "lanczos_iterations": 2},
}


@pytest.fixture(scope="package")
def computed() -> Iterator[None]:
    """Growing and annotating compute everything once, and the latter what the former has computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grow, "train_block", Canned(grow.train_block, lambda recipe, block, *_: block.key))
        for name, cells, epoch in (("measure_runs", 0, 2), ("measure_hessians", 1, None), ("measure_pairs", 1, 3)):
            measure = CannedCells(getattr(measurement, name), cells, epoch)
            patch.setattr(measurement, name, measure)
            patch.setattr(jobs, name, measure)
        patch.setattr(jobs, "_pass_size", lambda *_: None)
        yield


@pytest.fixture(scope="package")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of a zoo of two cells."""
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="package")
def grown(computed: None, tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """That zoo."""
    return build_zoo(tiny_recipe(**SMALL), tmp_path_factory.mktemp("grown") / "tiny", engine=Here()).zoo


@pytest.fixture(scope="package")
def options(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """How the bare zoo is annotated."""
    path = tmp_path_factory.mktemp("options") / "options.yaml"
    path.write_text(yaml.safe_dump(OPTIONS | {"hessian": SMALL["hessian"], "curve": SMALL["curve"]}))
    return path


@pytest.fixture(scope="package")
def bare(grown: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """The same zoo with nothing measured."""
    return foreign_zoo(grown, tmp_path_factory.mktemp("bare") / "bare", keep=lambda row: row["measured"])


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A method that is evaluated here, and says the same in every seed."""

    def predicted(unit: Unit, *_: object) -> UnitResult:
        values = np.array([float(model.tensors()["fc.bias"].mean()) for model in unit.test.models])
        return UnitResult(covered=np.ones(len(values), dtype=bool), predictions=values[:, None])

    monkeypatch.setattr(work, "inspect_method", lambda *_: Declared("Means", "Means.", ("predict",), "none"))
    monkeypatch.setattr(task_run, "run_unit", predicted)
    monkeypatch.setattr(assignment, "Launcher", lambda preload, fork, sandbox: Launcher(fork=False))
    path = tmp_path / "means.py"
    path.write_text("class Means: ...\n")
    return path


@pytest.fixture
def board_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards are made and drawn once."""
    for module, name in ((building, "make_board"), (building, "board_data"), (writing, "diagrams")):
        monkeypatch.setattr(module, name, Canned(getattr(module, name), lambda *_: 0))
