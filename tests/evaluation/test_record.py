"""The record: floors on the same resamples, the paired lift, ceilings, failures, files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.evaluation.synthetic import guesses, make_problem, method, outcomes, predictions
from wslbench.errors import ResultError
from wslbench.evaluation.bootstrap import draw_resamples
from wslbench.evaluation.ceilings import ceilings
from wslbench.evaluation.floors import LEGAL_FLOORS, Floors, committed_floors
from wslbench.evaluation.predictions import complete_predictions, read_predictions
from wslbench.evaluation.record import build_record
from wslbench.evaluation.result_files import read_record, write_result
from wslbench.evaluation.scoring import score
from wslbench.tasks import Problem

NO_FLOORS = Floors({}, [])


def commit_floors(problem: Problem, folder: Path, names: tuple[str, ...] = LEGAL_FLOORS) -> Floors:
    """Results of the floors in ``folder``, each less noisy than the one before."""
    for number, name in enumerate(names):
        answer = predictions(problem, guesses(problem, 3.0 - number, seed=number))
        write_result(build_record(problem, answer, method(name), outcomes(problem), NO_FLOORS), problem, answer, folder)
    return committed_floors(problem, folder)


@pytest.mark.parametrize("target", ["test-accuracy", "phase"])
def test_lift_is_paired_over_the_best_legal_floor(target: str, tmp_path: Path) -> None:
    problem = make_problem(target)
    floors = commit_floors(problem, tmp_path, (*LEGAL_FLOORS, "hyperparameters"))
    answer = predictions(problem, guesses(problem, 0.3, seed=9), seeds=(0, 1))
    record = build_record(problem, answer, method(), outcomes(problem, (0, 1)), floors)
    headline = problem.task.headline
    legal = {name: record.floors[name][headline].value for name in LEGAL_FLOORS}
    assert record.lift.over == max(legal, key=legal.get)
    mine = score(problem, answer).draws(headline)
    floor = score(problem, floors.found[record.lift.over].predictions).draws(headline)
    # 40 cells in strata of five phases.
    free = 40 - 5
    tail = stats.norm.cdf(np.sqrt(40 / free) * stats.t.ppf(0.025, free))
    low, high = np.quantile((mine - floor)[1:], [tail, 1 - tail])
    assert (record.lift.value, record.lift.low, record.lift.high) == pytest.approx((mine[0] - floor[0], low, high))
    assert record.lift.value == pytest.approx(record.metrics[headline].value - legal[record.lift.over])


def test_a_method_equal_to_the_best_floor_has_a_lift_of_exactly_nothing(tmp_path: Path) -> None:
    problem = make_problem()
    floors = commit_floors(problem, tmp_path)
    best = floors.found["decoded_hyperparameters"].predictions
    record = build_record(problem, best, method(), outcomes(problem), floors)
    assert (record.lift.value, record.lift.low, record.lift.high) == (0, 0, 0)


def test_the_oracle_is_shown_but_no_lift_is_taken_over_it(tmp_path: Path) -> None:
    problem = make_problem()
    floors = commit_floors(problem, tmp_path, (*LEGAL_FLOORS, "hyperparameters"))
    record = build_record(problem, predictions(problem, guesses(problem, 0.1)), method(), outcomes(problem), floors)
    assert record.floors["hyperparameters"]["kendall_tau"].value > record.floors["chance"]["kendall_tau"].value
    assert record.lift.over == "decoded_hyperparameters"


def test_without_every_legal_floor_there_is_no_lift_that_could_flatter(tmp_path: Path) -> None:
    problem = make_problem()
    floors = commit_floors(problem, tmp_path, ("chance",))
    record = build_record(problem, predictions(problem, guesses(problem, 0.1)), method(), outcomes(problem), floors)
    assert record.lift is None
    assert any("architecture_only, decoded_hyperparameters is missing" in text for text in record.warnings)
    assert any("no committed result" in text for text in record.warnings)


def test_a_floor_has_no_lift_and_is_not_its_own_floor(tmp_path: Path) -> None:
    problem = make_problem()
    floors = commit_floors(problem, tmp_path)
    answer = floors.found["chance"].predictions
    record = build_record(problem, answer, method("chance"), outcomes(problem), floors)
    assert record.lift is None
    assert set(record.floors) == set(LEGAL_FLOORS) - {"chance"}


@pytest.mark.parametrize("changed", ["task", "weights", "annotations", "split"])
def test_a_floor_of_another_version_is_not_used_and_named(changed: str, tmp_path: Path) -> None:
    problem = make_problem()
    commit_floors(problem, tmp_path)
    path = tmp_path / "chance" / f"{problem.task.id}.json"
    record = json.loads(path.read_text())
    record["provenance"][changed] = "0" * 64
    path.write_text(json.dumps(record))
    floors = committed_floors(problem, tmp_path)
    assert set(floors.found) == set(LEGAL_FLOORS) - {"chance"}
    assert any("chance" in text and f"another {changed}" in text for text in floors.warnings)


def test_a_floor_whose_predictions_were_exchanged_is_not_used(tmp_path: Path) -> None:
    problem = make_problem()
    commit_floors(problem, tmp_path)
    path = tmp_path / "chance" / f"{problem.task.id}.parquet"
    pd.read_parquet(path).assign(prediction=0.0).to_parquet(path)
    floors = committed_floors(problem, tmp_path)
    assert "chance" not in floors.found
    assert any("not those that its record was made from" in text for text in floors.warnings)


def test_failures_stay_in_every_metric_and_give_the_status(tmp_path: Path) -> None:
    problem = make_problem()
    delivered = predictions(problem, guesses(problem, 0.1))
    delivered = delivered[delivered["fold"] != 2]
    complete = complete_predictions(problem, delivered, seeds=[0])
    units = [
        unit.model_copy(update={"status": "timeout", "message": "600 s", "fit_seconds": None, "predict_seconds": None})
        if unit.fold == 2
        else unit
        for unit in outcomes(problem)
    ]
    record = build_record(problem, complete, method(), units, NO_FLOORS)
    assert record.status == "timeout"
    assert record.failed_share == pytest.approx(len(problem.test(2)) / len(problem.table))
    assert record.per_fold["2"]["kendall_tau"] == 0
    whole = build_record(problem, predictions(problem, guesses(problem, 0.1)), method(), outcomes(problem), NO_FLOORS)
    assert record.metrics["kendall_tau"].value < whole.metrics["kendall_tau"].value
    assert record.metrics["mae"].value > whole.metrics["mae"].value


def test_costs_are_a_seed_and_memory_is_the_highest() -> None:
    problem = make_problem()
    units = outcomes(problem, (0, 1))
    units[3] = units[3].model_copy(update={"peak_memory_bytes": 2**30, "parameters": 7, "uncovered": 4})
    answer = predictions(problem, guesses(problem, 0.1), seeds=(0, 1))
    record = build_record(problem, answer, method(), units, NO_FLOORS)
    assert record.cost.fit_seconds == pytest.approx(5.0)
    assert record.cost.predict_seconds == pytest.approx(0.5)
    assert record.cost.peak_memory_bytes == 2**30
    assert record.cost.parameters == 7
    assert record.coverage == pytest.approx(1 - 4 / (2 * len(problem.table)))


def test_units_that_are_not_those_of_the_predictions_are_refused() -> None:
    problem = make_problem()
    answer = predictions(problem, guesses(problem, 0.1), seeds=(0, 1))
    with pytest.raises(ResultError, match="one for each"):
        build_record(problem, answer, method(), outcomes(problem, (0,)), NO_FLOORS)


def test_every_value_lies_in_its_interval_and_no_number_is_outside_json() -> None:
    for target in ("test-accuracy", "phase"):
        problem = make_problem(target)
        answer = predictions(problem, guesses(problem, 0.5), seeds=(0, 1))
        record = build_record(problem, answer, method(), outcomes(problem, (0, 1)), NO_FLOORS)
        for name, estimate in record.metrics.items():
            assert estimate.low <= estimate.value <= estimate.high, name
            assert estimate.seed_sd == 0
        json.loads(record.model_dump_json(), parse_constant=pytest.fail)


def test_worst_phase_is_the_one_with_the_largest_error() -> None:
    problem = make_problem(cells=100)
    values = guesses(problem, 0.05)
    values[(problem.table["phase"] == "III").to_numpy()] += 5
    record = build_record(problem, predictions(problem, values), method(), outcomes(problem), NO_FLOORS)
    assert record.worst_phase.phase == "III"
    assert record.worst_phase.metric == "mae_over_sd"
    assert record.worst_phase.value == record.per_phase["III"]["mae_over_sd"].value


def test_the_cell_mean_ceiling_is_the_between_cell_share_and_knows_nothing_within() -> None:
    problem = make_problem(noise=0.5)
    top = ceilings(problem, draw_resamples(problem))
    target = problem.table["target"].astype(float)
    means = target.groupby(problem.table["cell_id"]).transform("mean")
    direct = score(problem, predictions(problem, means.to_numpy()))
    assert top["cell_means"]["r2"][0] == pytest.approx(direct.draws("r2")[0])
    assert direct.draws("kendall_tau_within_cell")[0] == 0
    share = 1 - ((target - means) ** 2).sum() / ((target - target.mean()) ** 2).sum()
    assert top["cell_means"]["r2"][0] == pytest.approx(share, abs=0.05)
    assert top["continuous"]["kendall_tau"][0] == pytest.approx(1.0)


def test_the_label_noise_ceiling_is_the_mean_phase_probability_of_each_phase() -> None:
    problem = make_problem("phase")
    top = ceilings(problem, draw_resamples(problem))
    expected = problem.table.groupby("phase")["phase_probability"].mean().mean()
    assert top["label_noise"]["balanced_accuracy"][0] == pytest.approx(expected)


def test_a_result_is_read_back_as_written_and_its_metrics_follow_from_its_file(tmp_path: Path) -> None:
    problem = make_problem("test-accuracy")
    answer = predictions(problem, guesses(problem, 0.4), seeds=(0, 1))
    record = build_record(problem, answer, method(), outcomes(problem, (0, 1)), NO_FLOORS)
    path = write_result(record, problem, answer, tmp_path)
    assert path == tmp_path / "mine" / "synthetic.test-accuracy.json"
    assert read_record(path) == record
    stored = read_predictions(path.with_suffix(".parquet"))
    assert {"cell_id", "unit", "phase", "target", "failed"} <= set(stored.columns)
    again = build_record(problem, stored[answer.columns], method(), outcomes(problem, (0, 1)), NO_FLOORS)
    assert again.metrics == record.metrics
    assert again.provenance == record.provenance


def test_a_record_is_not_written_beside_other_predictions(tmp_path: Path) -> None:
    problem = make_problem()
    answer = predictions(problem, guesses(problem, 0.4))
    record = build_record(problem, answer, method(), outcomes(problem), NO_FLOORS)
    with pytest.raises(ResultError, match="not those"):
        write_result(record, problem, answer.assign(prediction=0.0), tmp_path)
    assert not list(tmp_path.rglob("*.*"))


def test_a_file_that_is_no_record_is_named_with_its_first_wrong_field(tmp_path: Path) -> None:
    problem = make_problem()
    answer = predictions(problem, guesses(problem, 0.4))
    path = write_result(
        build_record(problem, answer, method(), outcomes(problem), NO_FLOORS), problem, answer, tmp_path
    )
    record = json.loads(path.read_text())
    for field, value in (("tier", "trust me"), ("extra", 1)):
        path.write_text(json.dumps({**record, field: value}))
        with pytest.raises(ResultError, match=f"{path.name}.*: {field}: "):
            read_record(path)
    path.write_text("{")
    with pytest.raises(ResultError, match="not a record"):
        read_record(path)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_device_is_on_record(device: str) -> None:
    problem = make_problem()
    answer = predictions(problem, guesses(problem, 0.3, seed=9))
    record = build_record(problem, answer, method(), outcomes(problem), NO_FLOORS, device=device)
    assert record.environment["device"].startswith(device)
