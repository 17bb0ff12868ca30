"""The committed results: complete, current, recomputable from their predictions, and sane."""

import pandas as pd
import pytest

import wslbench
from wslbench.bundled import bundled_path
from wslbench.evaluation.audit_files import audit_path, read_audit
from wslbench.evaluation.floors import LEGAL_FLOORS
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.result_files import read_record
from wslbench.leaderboard import read_results
from wslbench.tasks import load_tasks

FLOORS = ("chance", "architecture_only", "decoded_hyperparameters", "hyperparameters")
BASELINES = (*FLOORS, "flat", "graph_encoder", "neural_functional", "probing", "spectral", "weight_statistics")
AUDITED = tuple(sorted(set(BASELINES) - set(FLOORS)))
BLIND_TO_ORDER = set(AUDITED) - {"flat"}
BLIND_TO_SCALE = {"probing"}
BOOK = load_tasks()
# One of each kind of task, of protocol and of zoo; their results are all worked out anew.
LOOKED_INTO = (
    "digits-cnn.phase",
    "digits-cnn.test-accuracy@new-load",
    "convection-pinn.error@new-temperature",
    "convection-pinn.cka@new-zoo",
    "digits-cnn-seeds.generate-II",
)
DEFAULT = [task.id for task in BOOK.select(suite="default")]


def record(method, task):
    return read_record(bundled_path("results") / method / f"{task}.json")


@pytest.mark.parametrize(
    "tasks",
    [
        pytest.param(LOOKED_INTO, id="of a few tasks"),
        pytest.param(tuple(BOOK.tasks), marks=pytest.mark.slow, id="of every task"),
    ],
)
def test_results_stand(tasks):
    """Nothing stale, broken or doctored: every metric follows from the predictions and the zoo's own targets.

    For every task it is what ``wslbench leaderboard verify`` does, which CI runs beside these tests.
    """
    found = read_results([bundled_path("results")], BOOK, BOOK.select(task=tasks), wslbench.load_zoo)
    assert found.problems == []
    assert len(found.tasks) == len(tasks)
    for entries in found.tasks:
        shown = {entry.record.method.name for entry in entries.entries}
        assert shown >= set(BASELINES if entries.task.kind != "weight_generation" else ())


@pytest.mark.parametrize("method", BASELINES)
def test_results_are_of_the_file_that_ships(method):
    source = read_method_file(bundled_path("baselines") / f"{method}.py").hash
    for task in DEFAULT:
        result = record(method, task)
        assert result.status == "ok"
        assert result.method.source_hash == source
        assert result.seeds == [0, 1, 2]
        assert result.coverage == 1.0
        assert result.tier == "process"


@pytest.mark.parametrize("task", DEFAULT)
def test_chance_scores_as_chance(task):
    metrics = record("chance", task).metrics
    if "balanced_accuracy" in metrics:
        scored = [
            phase for phase, values in record("chance", task).per_phase.items() if values["recall"].value is not None
        ]
        # It names the first of the phases that it saw: where train sides differ in them, it names several, and each
        # only in part.
        assert metrics["balanced_accuracy"].value <= 1 / len(scored) + 0.05
        if task.startswith("digits-cnn"):
            assert metrics["balanced_accuracy"].value == pytest.approx(1 / len(scored), abs=0.05)
    else:
        assert metrics["kendall_tau"].value == 0
        assert metrics["r2"].value == pytest.approx(0, abs=1e-9)


def test_only_the_oracle_is_told_what_it_predicts_from():
    assert {method: record(method, DEFAULT[0]).method.privilege for method in BASELINES} == {
        "chance": "none",
        "architecture_only": "none",
        "decoded_hyperparameters": "train_hyperparameters",
        "hyperparameters": "hyperparameters",
        "weight_statistics": "none",
        "flat": "none",
        "spectral": "none",
        "neural_functional": "none",
        "graph_encoder": "none",
        "probing": "none",
    }
    assert "hyperparameters" not in LEGAL_FLOORS


def test_between_zoos_only_a_graph_says_anything():
    """What the reading says of the others: one number for all networks of an architecture that training lacked."""
    for path in bundled_path("results").glob("*/*@new-zoo.parquet"):
        table = pd.read_parquet(path)
        said = table.filter(regex=r"^(prediction|p:.*)$").groupby(table["seed"]).nunique().to_numpy().max()
        if path.parent.name == "graph_encoder":
            assert said > 1, path
        elif path.parent.name in set(BASELINES) - {"decoded_hyperparameters", "hyperparameters"}:
            assert said == 1, path


@pytest.mark.parametrize("task", DEFAULT)
def test_lift_is_reported_with_its_interval_over_the_best_legal_floor(task):
    result = record("weight_statistics", task)
    headline = result.task.headline
    floors = {name: result.floors[name][headline].value for name in LEGAL_FLOORS}
    assert result.lift is not None
    assert result.lift.over == max(floors, key=floors.get)
    assert result.lift.value == pytest.approx(result.metrics[headline].value - max(floors.values()))
    assert result.lift.low <= result.lift.value <= result.lift.high


@pytest.mark.parametrize("method", AUDITED)
def test_audits_are_of_the_results_beside_them(method):
    """A stale audit is named among the problems above; here: that there is one, and who is blind to what."""
    audit = read_audit(audit_path(bundled_path("results") / method / f"{DEFAULT[0]}.json"))
    assert audit.status == "ok"
    assert audit.provenance.method == record(method, DEFAULT[0]).method.source_hash
    assert (audit.permutation.spread < 1e-6) == (method in BLIND_TO_ORDER)
    assert (audit.scaling.spread < 1e-6) == (method in BLIND_TO_SCALE)
