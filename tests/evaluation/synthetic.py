"""Problems with a known answer, without a zoo: cells of several seeds, levels between cells, noise within."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from wslbench.evaluation.result_schema import MethodInfo, UnitOutcome
from wslbench.tasks import PHASES, Hashes, Problem, Task, load_tasks, make_transform, problem_from_table

HASHES = Hashes("t" * 64, "w" * 64, "a" * 64, "s" * 64)


def make_problem(
    target: str = "loss-gap", cells: int = 40, seeds: int = 4, folds: int = 5, unit: str = "cell", noise: float = 0.1
) -> Problem:
    """A problem on which phase, level and fold are independent (``unit="cell"``) or bound to the load (else)."""
    task = shipped(target)
    random = np.random.default_rng(0)
    cell = np.repeat(np.arange(cells), seeds)
    load = np.arange(cells) % 10
    phase = np.array(PHASES, dtype=object)[(np.arange(cells) // 10 + load // 3) % len(PHASES)]
    level = random.normal(size=cells)
    fold = np.arange(cells) // 2 % folds if unit == "cell" else load * folds // 10
    natural = 1 / (1 + np.exp(-(level[cell] + noise * random.normal(size=cells * seeds))))
    transform = make_transform(task.transform, 1000)
    is_phase = task.kind == "phase_classification"
    table = pd.DataFrame(
        {
            "model_id": [f"{number:016x}" for number in random.permutation(cells * seeds)],
            "run_id": [f"c{c}-s{number % seeds}" for number, c in enumerate(cell)],
            "cell_id": [f"c{c}" for c in cell],
            "unit": [f"c{c}" if unit == "cell" else str(load[c]) for c in cell],
            "fold": fold[cell],
            "phase": phase[cell],
            "phase_probability": np.where(np.arange(cells) % 3, 0.95, 0.6)[cell],
            "target": phase[cell] if is_phase else transform.forward(natural),
            "natural_target": np.nan if is_phase else natural,
            "load": load[cell],
            "temperature": 0.1,
        }
    )
    return problem_from_table(task, table, unit, HASHES._replace(task=task.hash), transform)


def shipped(target: str) -> Task:
    """A task that ships, by its target."""
    return replace(load_tasks()[f"digits-cnn.{target}"], id=f"synthetic.{target}", zoo="synthetic")


def predictions(problem: Problem, values: np.ndarray, seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    """A complete table from values ``[models]`` or ``[models, classes]`` in the problem's order, alike in all seeds."""
    columns = [f"p:{phase}" for phase in problem.classes] or ["prediction"]
    frame = pd.DataFrame(np.asarray(values, dtype=float).reshape(len(problem.table), len(columns)), columns=columns)
    frame = frame.assign(model_id=problem.model_ids, fold=problem.table["fold"].to_numpy(), failed=False)
    return pd.concat([frame.assign(seed=seed) for seed in seeds], ignore_index=True)


def guesses(problem: Problem, noise: float, seed: int = 1) -> np.ndarray:
    """Predictions that are right but for noise: values, or probabilities."""
    random = np.random.default_rng(seed)
    if not problem.is_classification:
        target = problem.table["target"].to_numpy(dtype=float)
        return target + noise * random.normal(size=len(target))
    truth = problem.table["phase"].to_numpy(dtype=object)[:, None] == np.array(problem.classes, dtype=object)
    scores = np.exp(2 * truth + noise * random.normal(size=truth.shape))
    return scores / scores.sum(axis=1, keepdims=True)


def method(name: str = "mine") -> MethodInfo:
    return MethodInfo(
        name=name, class_name="Mine", description="A test.", file=f"{name}.py", source_hash="m" * 64, privilege="none"
    )


def outcomes(problem: Problem, seeds: tuple[int, ...] = (0,)) -> list[UnitOutcome]:
    """Every unit went well, at one second of fit and .1 of predict."""
    return [
        UnitOutcome(
            fold=fold,
            seed=seed,
            status="ok",
            fit_seconds=1.0,
            predict_seconds=0.1,
            peak_memory_bytes=2**20,
            models=len(problem.test(fold)),
        )
        for seed in seeds
        for fold in problem.folds
    ]
