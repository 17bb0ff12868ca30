"""Verified results over the tiny zoo, written as a verification writes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from tests.evaluation.synthetic import method, outcomes, predictions
from wslbench.evaluation.bootstrap import draw_resamples
from wslbench.evaluation.findings import estimate
from wslbench.evaluation.floors import committed_floors
from wslbench.evaluation.gap import gap_draws, gap_of, headline_draws
from wslbench.evaluation.record import build_record
from wslbench.evaluation.result_files import write_result
from wslbench.evaluation.result_schema import UnitOutcome
from wslbench.evaluation.verified_files import Attestation, cards_in, folder_name, publish, results_folder
from wslbench.evaluation.verifier import Verification
from wslbench.tasks import Problem, Task
from wslbench.tasks.regrown_problem import prepare_regrown
from wslbench.zoo import Zoo

Answers = Callable[[Problem], np.ndarray]

DRAWN = datetime(2026, 1, 2, tzinfo=UTC)


def verify(
    task: Task,
    public: Zoo,
    regrown: Zoo,
    folder: Path,
    name: str,
    answers: Answers,
    unseen: Answers | None = None,
    drawn: datetime = DRAWN,
    failed: bool = False,
) -> Path:
    """Publish the verification of a method that gives some answers on the public zoo, and others on the re-grown one.

    Parameters
    ----------
    failed
        Whether a unit crashed on the re-grown zoo.

    Returns
    -------
    The path of its record.
    """
    problems = prepare_regrown(task, public, regrown)
    out, into = folder / "out", folder / "verified"
    card = into / folder_name(regrown.name, regrown.card.recipe["seed_commitment"]) / "zoo.json"
    records, draws = {}, {}
    for way, problem in problems._asdict().items():
        told = predictions(problem, (answers if way == "public" or unseen is None else unseen)(problem))
        floors = committed_floors(problem, results_folder(card))
        tier = "sandbox" if way == "public" else "verified"
        units = outcomes(problem)
        if failed and way != "public":
            units[0] = UnitOutcome(fold=units[0].fold, seed=0, status="crashed", message="gone", models=units[0].models)
        record = build_record(problem, told, method(name), units, floors, tier=tier)
        write_result(record, problem, told, out / way)
        records[way], draws[way] = record, headline_draws(problem, told, draw_resamples(problems.public))
    tail = draw_resamples(problems.public).tail
    found = Verification(
        task.id,
        task.headline,
        {way: estimate(values, tail) for way, values in draws.items()},
        records,
        gap_of(gap_draws(task.headline, draws["public"], draws["regrown"]), tail),
        problems.regrown.table,
    )
    (path,) = publish([found], {task.zoo: public}, {task.zoo: regrown}, out, into, Attestation(drawn, "Someone"))
    assert results_folder(card) in path.parents
    assert card in cards_in(into)
    return path


def rewrite(path: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Edit a table of predictions or targets."""
    edit(pd.read_parquet(path)).to_parquet(path, index=False)
