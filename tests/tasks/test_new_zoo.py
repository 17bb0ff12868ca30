"""``new-zoo``: all of one zoo is train, all of another is test, and only what can be compared is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, rankdata

import wslbench
from wslbench.errors import TaskError
from wslbench.evaluation import evaluate
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.task_run import TaskRun, UnitName
from wslbench.tasks import Problem, load_tasks, prepare
from wslbench.zoo import Zoo

BOOK = load_tasks()
ZOOS = {name: wslbench.load_zoo(name) for name in ("digits-cnn", "convection-pinn")}
SHARPNESS = "digits-cnn.sharpness@new-zoo"


def problem(task_id: str) -> Problem:
    task = BOOK[task_id]
    return prepare(task, *(ZOOS[name] for name in task.zoos))


def eligible(zoo: Zoo) -> pd.DataFrame:
    table = zoo.table
    return table[table["measured"] & ~table["unfinished"] & table["phase"].notna()]


@pytest.mark.parametrize("task_id", [id_ for id_ in BOOK.tasks if id_.endswith("@new-zoo")])
def test_one_zoo_is_train_and_another_is_test(task_id: str) -> None:
    found = problem(task_id)
    shown, tested = (eligible(ZOOS[name]) for name in BOOK[task_id].zoos)
    assert found.folds == (0,)
    assert set(found.train(0)["model_id"]) == set(shown.index)
    assert set(found.test(0)["model_id"]) == set(found.table["model_id"]) == set(tested.index)
    assert not set(found.train(0)["model_id"]) & set(found.test(0)["model_id"])
    assert found.unit == "cell"
    if not found.classes:
        for side in (found.train(0), found.test(0)):
            target = side["target"].to_numpy()
            assert target.mean() == pytest.approx(0, abs=1e-9)
            assert target.std() == pytest.approx(1)
    for side in (found.train(0), found.test(0)):
        for axis in ("load", "temperature"):
            assert 0 < side[axis].min() < side[axis].max() < 1


def test_targets_are_the_zoos_own_on_a_scale_of_their_own() -> None:
    found = problem(SHARPNESS)
    for side, name in ((found.train(0), "digits-cnn"), (found.test(0), "convection-pinn")):
        traces = ZOOS[name].table.loc[side["model_id"], "hessian_trace"].to_numpy()
        expected = np.arcsinh(traces)
        np.testing.assert_allclose(side["target"], (expected - expected.mean()) / expected.std())
    tested = found.table
    traces = ZOOS["convection-pinn"].table.loc[tested["model_id"], "hessian_trace"].to_numpy()
    np.testing.assert_allclose(tested["natural_target"], traces)
    np.testing.assert_allclose(found.transform.inverse(tested["target"].to_numpy()), traces, rtol=1e-9)
    axis = ZOOS["convection-pinn"].card.load.column
    loads = ZOOS["convection-pinn"].table.loc[tested["model_id"], axis].to_numpy()
    np.testing.assert_array_equal(rankdata(loads, "dense"), rankdata(tested["load"], "dense"))


def test_the_methods_see_one_zoo_and_both_are_sealed() -> None:
    found = problem(SHARPNESS)
    zoos = tuple(ZOOS.values())
    source = read_method_file(Path(wslbench.__file__).parent.parent / "baselines" / "chance.py")
    run = TaskRun(problem=found, zoos=zoos, seeds=(0,), method=source, limits=Limits(), device="cpu")
    unit = run.unit(UnitName(SHARPNESS, 0, 0))
    assert {stack.architecture.builder for stack in unit.train.models.by_architecture()} == {"cnn"}
    assert {stack.architecture.builder for stack in unit.test.models.by_architecture()} == {"mlp"}
    assert set(unit.hidden) == {zoo.versions["weights"] for zoo in zoos}


def test_results_go_stale_with_either_zoo() -> None:
    there, back = (problem(f"{zoo}.sharpness@new-zoo").hashes for zoo in ("digits-cnn", "convection-pinn"))
    for name in ("task", "weights", "annotations", "split"):
        assert getattr(there, name) != getattr(back, name)
    assert problem(SHARPNESS).hashes == there


def test_zoos_come_in_the_tasks_order() -> None:
    with pytest.raises(TaskError, match="is about the zoo 'digits-cnn', not about 'convection-pinn'"):
        prepare(BOOK[SHARPNESS], ZOOS["convection-pinn"], ZOOS["digits-cnn"])


def test_scores_are_those_of_the_predictions(tmp_path: Path) -> None:
    """A method that reads the spread of all weights, on networks of another builder."""
    method = tmp_path / "spread.py"
    method.write_text(
        "import numpy as np\n"
        "class Spread:\n"
        "    '''Reads the spread of all weights.'''\n"
        "    def read(self, models):\n"
        "        return np.array([np.concatenate([t.ravel() for t in m.tensors().values()]).std() for m in models])\n"
        "    def fit(self, models, target, context):\n"
        "        self.line = np.polyfit(self.read(models), target, 1)\n"
        "    def predict(self, models):\n"
        "        return np.polyval(self.line, self.read(models))\n"
    )
    (record,) = evaluate(method, (SHARPNESS,), seeds=1, out=tmp_path / "out")
    assert record.status == "ok"
    rows = pd.read_parquet(tmp_path / "out" / "spread" / f"{SHARPNESS}.parquet")
    assert len(rows) == len(problem(SHARPNESS).table)
    assert record.metrics["kendall_tau"].value == pytest.approx(
        kendalltau(rows["target"], rows["prediction"]).statistic
    )
    # The train mean is 0 on the standardised scale, so R² is against the tested zoo's own spread.
    expected = 1 - ((rows["target"] - rows["prediction"]) ** 2).sum() / (rows["target"] ** 2).sum()
    assert record.metrics["r2"].value == pytest.approx(expected)
