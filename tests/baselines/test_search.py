"""The recorded searches: inside train folds, and what ships is what they chose."""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.baselines.made import load_baseline
from wslbench import load_zoo
from wslbench.bundled import bundled_path
from wslbench.tasks import load_tasks, prepare

FOLDER = bundled_path("baselines") / "search"
TASK = "digits-cnn.phase"
CHOSEN = {
    "graph_encoder": "patience 15",
    "hyper_representation": "40 epochs of fine-tuning",
    "neural_functional": "more thinning",
    "probing": "start",
}
DRAWN_WITH = {
    "hyper_representation": "bandwidth"
}  # a setting that predictions do not depend on, with a table of its own


@pytest.fixture(scope="module")
def search():
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    import recorded_search

    return recorded_search


class Schedule(NamedTuple):
    rate: float = 1.0


class Settings(NamedTuple):
    size: int = 1
    schedule: Schedule = Schedule()


class Spy:
    """Notes which networks it gets, by the digest of their weights; says what the first column of classes says."""

    seen: list[tuple[set[bytes], set[bytes], int]]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fit(self, models: Any, target: Any, context: Any) -> None:
        self.train, self.classes = prints(models), len(context.classes)
        assert len(target) == len(models) == len(context.groups)

    def predict(self, models: Any) -> Any:
        Spy.seen.append((self.train, prints(models), self.settings.size))
        return np.eye(self.classes)[[0] * len(models)]


def prints(models: Any) -> set[bytes]:
    """A network's first weights tell it from all others."""
    return {stack["conv1.weight"][row].tobytes() for stack in models.by_architecture() for row in range(len(stack))}


def test_no_setting_sees_a_test_cell_and_inner_folds_hold_out_whole_cells(search, tmp_path) -> None:
    Spy.seen = []
    search.record(tmp_path / "spy.json", Spy, {"start": Settings(), "twice": Settings(2)}, (TASK,))
    zoo = load_zoo("digits-cnn")
    problem = prepare(load_tasks()[TASK], zoo)
    cell_of = {
        network: cell
        for cell, ids in problem.table.groupby("cell_id")["model_id"]
        for network in prints(zoo.models(ids.to_numpy(dtype=object)))
    }
    test_cells = set(problem.test(problem.folds[0])["cell_id"])
    assert len(Spy.seen) == 6
    for train, held_out, _ in Spy.seen:
        cells, others = {cell_of[one] for one in train}, {cell_of[one] for one in held_out}
        assert not cells & others
        assert not (cells | others) & test_cells
    assert [size for *_, size in Spy.seen] == [1, 1, 1, 2, 2, 2]


def test_a_search_goes_on_where_it_stopped_and_repeats_a_setting_that_changed(search, tmp_path) -> None:
    path = tmp_path / "spy.json"
    Spy.seen = []
    first = search.record(path, Spy, {"start": Settings()}, (TASK,))
    assert search.record(path, Spy, {"start": Settings()}, (TASK,)) == first
    assert len(Spy.seen) == 3
    search.record(path, Spy, {"start": Settings(5)}, (TASK,))
    assert len(Spy.seen) == 6
    assert json.loads(path.read_text())["start"]["settings"] == {"size": 5, "schedule": {"rate": 1.0}}


def without(settings: dict[str, Any], name: str | None) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != name}


@pytest.mark.parametrize("name", CHOSEN)
def test_what_ships_is_what_the_search_chose(name: str) -> None:
    found = json.loads((FOLDER / f"{name}.json").read_text())
    module = load_baseline(name)
    shipped = module.SETTINGS if hasattr(module, "SETTINGS") else module.Settings()
    described = {**shipped._asdict(), "schedule": shipped.schedule._asdict()}
    apart = DRAWN_WITH.get(name)
    assert without(found[CHOSEN[name]]["settings"], apart) == without(described, apart)
    means = {
        tried: np.mean([np.mean(scores["scores"]) for scores in entry["tasks"].values()])
        for tried, entry in found.items()
        if len(entry["tasks"]) == len(found[CHOSEN[name]]["tasks"])
    }
    # Nothing that was tried is better by more than the noise between the thirds.
    assert max(means.values()) - means[CHOSEN[name]] < 0.005
    page = (FOLDER / f"{name}.md").read_text()
    for tried, mean in means.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {tried} "))
        assert line.endswith(f" {mean:.3f} |".replace(" 0.", " .")), line


def test_the_bandwidth_that_ships_has_the_highest_mean_lift_among_those_in_range_everywhere() -> None:
    found = json.loads((FOLDER / "bandwidth.json").read_text())
    lifts = {
        float(width): [found[phase][width]["lift"][0] for phase in found]
        for width in found["I"]
        if all(found[phase][width]["standing"] == "in range" for phase in found)
    }
    best = max(lifts, key=lambda width: np.mean(lifts[width]))
    assert load_baseline("hyper_representation").Settings().bandwidth == best
    page = (FOLDER / "hyper_representation.md").read_text()
    assert f"| {best} (**chosen**)".replace(" 0.", " .") in page
