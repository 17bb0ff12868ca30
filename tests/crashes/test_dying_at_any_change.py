"""Calls that are killed just before any change that they make to files, and called again.

Nothing is lost, done twice, or read half-written, and nothing is left behind. Some changes are drawn from a seed;
``pytest -m slow tests/crashes`` takes each.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.annotation.foreign import OPTIONS, foreign_zoo
from tests.crashes.canned import Canned
from tests.crashes.dying import changes
from tests.engines.here import Here
from tests.leaderboard.boards import commit
from tests.population.recipes import tiny_recipe
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.annotation import jobs
from wslbench.annotation.annotate_zoo import annotate_zoo, open_zoo
from wslbench.annotation.options import options_of
from wslbench.evaluation import task_run, work
from wslbench.evaluation.evaluator import evaluate
from wslbench.evaluation.execution import Settings
from wslbench.evaluation.method_info import Declared
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.unit import Unit, UnitResult
from wslbench.leaderboard import building
from wslbench.leaderboard.results import read_results
from wslbench.leaderboard.site import writing
from wslbench.population import grow
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo, load_zoo, verify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks paths up in /proc")

SMALL = {
    "load": {"column": "width", "label": "width", "values": [1]},
    "temperature": {"column": "learning_rate", "label": "learning rate", "values": [0.01, 0.05]},
    "unfinished_check": "none",
    "stacking": "one_by_one",
    "optimisation": {"epochs": 2, "batch_size": 600},
    "curve": {"epochs": 1, "batch_size": 1200, "learning_rate": 0.05, "schedule": "cosine"},
    "hessian": {"subset_size": 8, "maximum_probes": 8, "lanczos_iterations": 2},
}
SOME = pytest.param(2, id="some")
EVERY = pytest.param(None, id="every", marks=pytest.mark.slow)


class Call(NamedTuple):
    """A call that writes into a folder, and what is expected of it.

    Attributes
    ----------
    act
        The call itself.
    anew
        Puts the folder into the state from which the first call begins.
    look
        After a kill: raises where something that is there cannot be read whole.
    kept
        After a kill: what is finished, each as it stands in the log of a call that would do it once more.
    result
        After a call that came to its end: all that it is about.
    """

    act: Callable[[], object]
    anew: Callable[[], object]
    look: Callable[[], object]
    kept: Callable[[], list[str]]
    result: Callable[[], object]


def kill(call: Call, folder: Path, kills: int | None, seed: int = 0) -> None:
    """Kill it at so many changes (None: at each), twice in a row, and hold its result against an undisturbed one's."""
    draw = random.Random(seed)
    call.anew()
    count = len(changes(call.act, folder))
    assert count > 10
    alone, files = call.result(), _files(folder)
    moments = range(1, count + 1)
    for moment in moments if kills is None else sorted(draw.sample(moments, kills)):
        call.anew()
        for fatal in (moment, draw.randint(1, count), None):
            kept = call.kept()
            made = changes(call.act, folder, fatal)
            again = [change for change in made for finished in kept if finished in change and "remove" not in change]
            assert again == [], f"done twice after a kill at change {moment}"
            call.look()
            if len(made) != fatal:
                break
        assert call.result() == alone, f"another result after a kill at change {moment}"
        assert _files(folder) == files, f"left behind by a kill at change {moment}"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def computed() -> Iterator[None]:
    """Growing and annotating compute everything once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grow, "train_block", Canned(grow.train_block, lambda recipe, block, *_: block.key))
        patch.setattr(grow, "measure_block", Canned(grow.measure_block, lambda recipe, block, *_: block.key))
        for name, cells in (("measure_runs", 0), ("measure_hessians", 1), ("measure_pairs", 1)):
            measure = Canned(getattr(jobs, name), lambda *given, at=cells: tuple(cell.cell_id for cell in given[at]))
            patch.setattr(jobs, name, measure)
        patch.setattr(jobs, "_pass_size", lambda *_: None)
        patch.setattr(jobs, "RUNS_PER_JOB", 3)
        yield


@pytest.fixture(scope="module")
def grown(computed: None, tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return build_zoo(tiny_recipe(**SMALL), tmp_path_factory.mktemp("grown") / "tiny", engine=Here()).zoo


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_zoo_build(grown: Zoo, tmp_path: Path, kills: int | None) -> None:
    folder = tmp_path / "work"
    zoo, staging = folder / "tiny", folder / "tiny.partial"

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def look() -> None:
        if zoo.exists():
            assert verify(load_zoo(zoo)) == []

    def kept() -> list[str]:
        if zoo.exists():
            return ["mkdir tiny.partial/", "open tiny.partial/."]
        return [
            *(f"/.{path.name}." for path in staging.glob("width=*")),
            *(f"/.{path.name}." for path in (staging / ".blocks").glob("*.safetensors")),
        ]

    def act() -> None:
        if not zoo.exists() or staging.exists():
            build_zoo(tiny_recipe(**SMALL), zoo, engine=Here())
        else:  # killed after all was done but for its lock
            (folder / ".tiny.lock").unlink(missing_ok=True)

    kill(Call(act, anew, look, kept, lambda: load_zoo(zoo).versions), folder, kills)
    assert load_zoo(zoo).versions == grown.versions


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_zoo_annotate(grown: Zoo, tmp_path: Path, kills: int | None) -> None:
    bare = foreign_zoo(grown, tmp_path / "bare", keep=lambda row: row["measured"])
    options = tmp_path / "options.yaml"
    options.write_text(yaml.safe_dump(OPTIONS | {"hessian": SMALL["hessian"], "curve": SMALL["curve"]}))
    folder = tmp_path / "work"
    zoo, staging = folder / "bare", folder / "bare.annotation.partial"
    annotate_zoo(
        foreign_zoo(grown, tmp_path / "once", keep=lambda row: row["measured"]), options_of(bare, options), Here()
    )

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(bare.path, zoo)

    def look() -> None:
        found = load_zoo(zoo)
        assert verify(found) == []
        assert found.versions["weights"] == bare.versions["weights"]

    def kept() -> list[str]:
        return [f"/.{path.name}." for path in staging.glob("width=*")]

    def act() -> None:
        found = open_zoo(zoo)
        if found.card.annotation_version == 1 or staging.exists():
            annotate_zoo(found, options_of(found, options), Here())
        else:
            (folder / ".bare.lock").unlink(missing_ok=True)

    def result() -> object:
        found = load_zoo(zoo)
        return found.versions, found.card.annotation_version

    kill(Call(act, anew, look, kept, result), folder, kills)
    assert load_zoo(zoo).card.annotation_version == 2


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_evaluate(built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int | None) -> None:
    def predicted(unit: Unit, *_: object) -> UnitResult:
        values = np.array([float(model.tensors()["fc.bias"].mean()) for model in unit.test.models])
        return UnitResult(np.ones(len(values), dtype=bool), values[:, None])

    declared = Declared("Noise", "Sums.", ("predict",), "none")
    monkeypatch.setattr(work, "inspect_method", lambda *_: declared)
    monkeypatch.setattr(task_run, "run_unit", predicted)
    book = tiny_tasks(tmp_path)
    method = tmp_path / "noise.py"
    method.write_text("class Noise: ...\n")
    folder = tmp_path / "work"
    tasks = [f"{NAME}.{name}" for name in ("loss-gap", "test-accuracy")]

    def act() -> None:
        settings = Settings(jobs=1, fork=False)
        evaluate(method, tasks, seeds=1, out=folder, settings=settings, book=book, zoos={NAME: built_tiny_zoo})

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def look() -> None:
        for path in folder.glob("noise/*.json"):
            read_record(path)
            pd.read_parquet(path.with_suffix(".parquet"))

    def kept() -> list[str]:
        return [f"{path.parent.name}/.{path.name}." for path in folder.glob("noise/.journal/*/*.json")]

    def result() -> object:
        records = [read_record(folder / "noise" / f"{task}.json") for task in tasks]
        return [(record.metrics, record.provenance.predictions) for record in records]

    kill(Call(act, anew, look, kept, result), folder, kills)


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_leaderboard_build(
    built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int | None
) -> None:
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    tasks = [book[f"{NAME}.{name}"] for name in ("loss-gap", "phase")]
    for name, noise in (("good", 0.01), ("bad", 3.0)):
        for task in tasks:
            commit(task, zoo, tmp_path / "results", name, noise)
    for module, name in ((building, "make_board"), (building, "board_data"), (writing, "diagrams")):
        monkeypatch.setattr(module, name, Canned(getattr(module, name), lambda *_: 0))
    results = read_results([tmp_path / "results"], book, tasks, lambda name: zoo)
    folder = tmp_path / "work"

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def result() -> dict[str, bytes]:
        hidden = [path for path in folder.rglob("*") if path.name.startswith(".")]
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path not in hidden and path.name != "site.json"
        }

    whole: dict[str, bytes] = {}

    def look() -> None:
        for name, content in result().items():
            assert whole.setdefault(name, content) == content, f"{name} is half-written"

    suite = next(iter(book.suites))

    def act() -> None:
        building.build_board(results, book, suite, folder, lambda name: zoo)

    act()
    kill(Call(act, anew, look, list, result), folder, kills)
