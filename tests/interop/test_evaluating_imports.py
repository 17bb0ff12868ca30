"""An imported zoo, from a folder of files to a scored method: import, a task of one's own, evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.interop.controllers import OPTIONS, write_controllers
from wslbench.evaluation import evaluate
from wslbench.interop import import_zoo
from wslbench.tasks import load_tasks, validate_tasks
from wslbench.zoo import verify

TASKS = """
format_version: 1
default_protocol: new-load
tasks:
  - zoo: controllers
    target: score
    version: 1
    kind: accuracy_prediction
    column: score
    protocols: [new-load]
    label: Score
"""
METHOD = """
import numpy as np

class Bias:
    '''Reads the mean bias of the last layer.'''
    def fit(self, models, target, context):
        self.line = np.polyfit(self.read(models), target, 1)
    def read(self, models):
        return np.array([model.tensors()["layers.2.bias"].mean() for model in models])
    def predict(self, models):
        return np.polyval(self.line, self.read(models))
"""


def test_a_zoo_without_phases_is_evaluated_on_a_task_of_ones_own(tmp_path: Path) -> None:
    zoo = import_zoo(write_controllers(tmp_path / "source"), "state-dicts", tmp_path / "zoo", OPTIONS)
    assert verify(zoo) == []
    (tmp_path / "tasks.yaml").write_text(TASKS)
    (tmp_path / "bias.py").write_text(METHOD)
    found = validate_tasks(tmp_path / "tasks.yaml", lambda name: zoo)
    assert [(task.task, task.summary) for task in found.tasks] == [("controllers.score", "12 models, 4 folds")]
    book = load_tasks(tmp_path / "tasks.yaml")
    (record,) = evaluate(
        tmp_path / "bias.py", list(book.tasks), seeds=1, out=tmp_path / "out", book=book, zoos={"controllers": zoo}
    )
    assert (record.status, record.coverage, record.failed_share) == ("ok", 1.0, 0.0)
    assert (record.per_phase, record.worst_phase, record.absent_phases) == ({}, None, {})
    predictions = pd.read_parquet(tmp_path / "out" / "bias" / "controllers.score.parquet")
    assert sorted(predictions["model_id"]) == sorted(zoo.table.index)
    # The fixture writes the score into the last bias, so that what is read back can be told from chance.
    assert np.allclose(predictions["prediction"], predictions["target"], atol=1e-5)
    assert record.metrics["kendall_tau"].value == pytest.approx(1.0)
