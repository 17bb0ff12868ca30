"""Results over the tiny zoo, written as the evaluator writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.evaluation.synthetic import guesses, method, outcomes, predictions
from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.record import build_record
from wslbench.evaluation.result_files import write_result
from wslbench.evaluation.result_schema import UnitOutcome
from wslbench.tasks import Task, prepare
from wslbench.zoo import Zoo


def commit(
    task: Task,
    zoo: Zoo,
    folder: Path,
    name: str,
    noise: float,
    seed: int = 0,
    failed: bool = False,
    reversed_: bool = False,
    constant: bool = False,
) -> Path:
    """Write the result of a method that is right but for noise, or wrong throughout; ``failed``: one unit timed out.

    ``constant``: every model gets the answer of the first one.
    """
    problem = prepare(task, zoo)
    values = guesses(problem, noise, seed)
    if constant:
        values = np.broadcast_to(values[:1], values.shape)
    answer = predictions(problem, values.max() - values if reversed_ else values)
    units = outcomes(problem)
    if failed:
        units[0] = UnitOutcome(fold=units[0].fold, seed=0, status="timeout", message="too slow", models=units[0].models)
    info = method(name)
    if name == "hyperparameters":
        info = info.model_copy(update={"privilege": "hyperparameters"})
    record = build_record(problem, answer, info, units, committed_floors(problem, folder))
    return write_result(record, problem, answer, folder)
