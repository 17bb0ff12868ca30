"""Calls that are killed just before any change that they make to files, and called again.

Nothing is lost, done twice, or read half-written, and nothing is left behind. Some changes are drawn from a seed;
``pytest -m slow tests/crashes`` takes each.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from tests.crashes.conftest import SMALL
from tests.crashes.dying import changes
from tests.engines.here import Here
from tests.leaderboard.boards import commit
from tests.population.recipes import tiny_recipe
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.annotation.annotate_zoo import annotate_zoo, open_zoo
from wslbench.annotation.options import options_of
from wslbench.errors import ZooError
from wslbench.evaluation.evaluator import evaluate
from wslbench.evaluation.execution import Settings
from wslbench.evaluation.result_files import read_record
from wslbench.leaderboard import building
from wslbench.leaderboard.adding import add_results
from wslbench.leaderboard.results import read_results
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo, load_zoo, verify
from wslbench.zoo.atomic import clear_leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks paths up in /proc")

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
        Before a call: what is finished, each as it stands in the log of a call that would do it once more.
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
        over = zoo.exists() and not staging.exists()  # but for the end of its clearing up
        with pytest.raises(ZooError, match="exists already") if over else nullcontext():
            build_zoo(tiny_recipe(**SMALL), zoo, engine=Here())

    kill(Call(act, anew, look, kept, lambda: load_zoo(zoo).versions), folder, kills)
    assert load_zoo(zoo).versions == grown.versions


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_zoo_annotate(bare: Zoo, options: Path, tmp_path: Path, kills: int | None) -> None:
    folder = tmp_path / "work"
    zoo, staging = folder / "bare", folder / "bare.annotation.partial"

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
        else:  # it was killed when it was over; another annotation would clear up
            (folder / ".bare.lock").unlink(missing_ok=True)
            clear_leftovers(staging)

    def result() -> object:
        found = load_zoo(zoo)
        return found.versions, found.card.annotation_version

    kill(Call(act, anew, look, kept, result), folder, kills)
    assert load_zoo(zoo).card.annotation_version == 2


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_evaluate(built_tiny_zoo: Path, method: Path, tmp_path: Path, kills: int | None) -> None:
    book = tiny_tasks(tmp_path)
    folder = tmp_path / "work"
    tasks = [f"{NAME}.{name}" for name in ("loss-gap", "test-accuracy")]

    def act() -> None:
        settings = Settings(jobs=1)
        evaluate(method, tasks, seeds=1, out=folder, settings=settings, book=book, zoos={NAME: built_tiny_zoo})

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def look() -> None:
        for path in folder.glob("means/*.json"):
            read_record(path)
            pd.read_parquet(path.with_suffix(".parquet"))

    def kept() -> list[str]:
        return [f"{path.parent.name}/.{path.name}." for path in folder.glob("means/.journal/*/*.json")]

    def result() -> object:
        records = [read_record(folder / "means" / f"{task}.json") for task in tasks]
        return [(record.metrics, record.provenance.predictions) for record in records]

    kill(Call(act, anew, look, kept, result), folder, kills)


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_leaderboard_build(built_tiny_zoo: Path, board_from_memory: None, tmp_path: Path, kills: int | None) -> None:
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    tasks = [book[f"{NAME}.{name}"] for name in ("loss-gap", "phase")]
    for name, noise in (("good", 0.01), ("bad", 3.0)):
        for task in tasks:
            commit(task, zoo, tmp_path / "results", name, noise)
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


@pytest.mark.parametrize("kills", [SOME, EVERY])
def test_leaderboard_add(built_tiny_zoo: Path, tmp_path: Path, kills: int | None) -> None:
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    tasks = [book[f"{NAME}.{name}"] for name in ("loss-gap", "phase", "test-accuracy")]
    for sent, noise in (("old", 3.0), ("new", 0.01)):
        for task in tasks:
            commit(task, zoo, tmp_path / sent, "mine", noise)
    folder = tmp_path / "work"

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "old", folder)

    def act() -> None:
        assert add_results([tmp_path / "new"], folder, book, lambda name: zoo, replace=True).refused == []

    def look() -> None:
        # The one result that it was about to write may have the new one's predictions under the old one's record: it is
        # then refused, and never shown.
        found = read_results([folder], book, tasks, lambda name: zoo)
        shown = sum(len(task.entries) for task in found.tasks)
        assert len(found.problems) <= 1
        assert shown + len(found.problems) == len(tasks)

    def kept() -> list[str]:
        return [f"/.{path.name}." for path in folder.glob("mine/*.json") if _same_bytes(path, tmp_path / "new")]

    def result() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob("mine/*") if not path.name.startswith(".")}

    kill(Call(act, anew, look, kept, result), folder, kills)
    assert result() == {path.name: path.read_bytes() for path in tmp_path.glob("new/mine/*")}


def _same_bytes(path: Path, folder: Path) -> bool:
    return path.read_bytes() == (folder / path.parent.name / path.name).read_bytes()
