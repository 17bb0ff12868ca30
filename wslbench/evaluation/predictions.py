"""Predictions as a table: its columns, how gaps are filled with chance, and the file that keeps it.

A row is one model in one seed of the evaluation: ``seed, fold, model_id, failed`` and either ``prediction`` (on the
task's scale) or one column ``p:<class>`` a class. ``failed`` marks rows that the method did not deliver; they hold the
chance prediction and stay in every metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from wslbench.errors import ResultError, ZooError
from wslbench.tasks import Problem
from wslbench.zoo.atomic import replacing
from wslbench.zoo.hashing import hash_rows
from wslbench.zoo.parquet import read_parquet

FloatArray = npt.NDArray[np.float64]

_LARGEST = 1e100  # beyond it squared errors overflow, and an infinite metric cannot be written as JSON
_CONTEXT = (
    "cell_id",
    "run_id",
    "unit",
    "phase",
    "phase_probability",
    "target",
    "natural_target",
    "load",
    "temperature",
)


def prediction_columns(problem: Problem) -> list[str]:
    """Names of the columns that hold predictions: ``p:<class>`` for each class, or ``prediction``."""
    return [f"p:{phase}" for phase in problem.classes] if problem.is_classification else ["prediction"]


def chance_prediction(problem: Problem, fold: int) -> FloatArray:
    """What one who has seen only the training targets of a fold predicts for every model.

    Class frequencies would be worse than chance where the train side's most frequent phase is rare among the
    test models, as on a held-out load: the same probability for every class scores 1/K on any split.

    Returns
    -------
    Equal probabilities of the classes that the fold trains on ``[classes]``, or the mean target ``[1]``.
    """
    target = problem.train(fold)["target"].to_numpy()
    if problem.is_classification:
        seen = np.array([(target == phase).any() for phase in problem.classes], dtype=np.float64)
        return np.asarray(seen / seen.sum())
    return np.array([np.mean(target.astype(np.float64))])


def complete_predictions(problem: Problem, delivered: pd.DataFrame, seeds: Sequence[int]) -> pd.DataFrame:
    """One row for every model and seed: what was delivered, and chance where it was not.

    Parameters
    ----------
    delivered
        ``seed, model_id`` and the prediction columns; more columns are ignored. A row with ``failed`` set counts as
        not delivered. May be empty.
    seeds
        The seeds that the evaluation ran.

    Returns
    -------
    The table that :func:`score` takes, sorted by seed and model.

    Raises
    ------
    ResultError
        If a model or seed is unknown, or a model is predicted twice in a seed.
    """
    columns = prediction_columns(problem)
    if len(delivered) == 0:
        delivered = pd.DataFrame(columns=["seed", "model_id", *columns])
    elif "failed" in delivered:
        delivered = delivered[~delivered["failed"].astype(bool)]
    wanted = pd.MultiIndex.from_product([sorted(set(seeds)), problem.model_ids], names=["seed", "model_id"])
    given = pd.MultiIndex.from_arrays(
        [delivered["seed"].to_numpy(dtype=np.int64), delivered["model_id"].to_numpy(dtype=object)], names=wanted.names
    )
    places = wanted.get_indexer(given)
    if (places < 0).any():
        seed, model = given[int(np.argmin(places))]
        raise ResultError(f"A prediction for the model {model} in seed {seed}, which {problem.task.id} does not ask.")
    if given.has_duplicates:
        seed, model = given[given.duplicated()][0]
        raise ResultError(f"Two predictions for the model {model} in seed {seed} of {problem.task.id}.")
    fold = np.tile(problem.table["fold"].to_numpy(), len(set(seeds)))
    chance = {number: chance_prediction(problem, number) for number in problem.folds}
    values = np.stack([chance[int(number)] for number in fold])
    values[places] = delivered[columns].to_numpy(dtype=np.float64)
    failed = np.ones(len(wanted), dtype=bool)
    failed[places] = False
    table = wanted.to_frame(index=False)
    table.insert(1, "fold", fold)
    table["failed"] = failed
    return pd.concat([table, pd.DataFrame(values, columns=columns)], axis=1)


def prediction_array(problem: Problem, predictions: pd.DataFrame) -> tuple[list[int], FloatArray]:
    """Seeds, and predictions ``[seeds, models, columns]`` in the order of ``problem.table``.

    Raises
    ------
    ResultError
        Unless every model is predicted exactly once in every seed, in its own fold, by finite numbers
        (probabilities: not negative, not all zero). A metric over anything less would flatter.
    """
    columns = prediction_columns(problem)
    missing = [name for name in ("seed", "fold", "model_id", *columns) if name not in predictions]
    if missing:
        raise ResultError(f"The predictions for {problem.task.id} lack the column {missing[0]!r}.")
    rows = predictions.sort_values(["seed", "model_id"], ignore_index=True)
    seeds = [int(seed) for seed in rows["seed"].unique()]
    models, folds = problem.model_ids, problem.table["fold"].to_numpy()
    same = len(rows) == len(seeds) * len(models) > 0
    same = same and bool((rows["model_id"].to_numpy(dtype=object) == np.tile(models, len(seeds))).all())
    if not same or not (rows["fold"].to_numpy() == np.tile(folds, len(seeds))).all():
        raise ResultError(
            f"The predictions for {problem.task.id} do not hold each of its {len(models)} models once in every seed, "
            f"in the fold that tests it ({len(rows)} rows, {len(seeds)} seeds)."
        )
    values = rows[columns].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ResultError(f"The predictions for {problem.task.id} hold values that are not finite.")
    if problem.is_classification and ((values < 0).any() or (values.max(axis=1) <= 0).any()):
        raise ResultError(f"The predictions for {problem.task.id} hold rows that are not probabilities.")
    return seeds, np.clip(values, -_LARGEST, _LARGEST).reshape(len(seeds), len(models), len(columns))


def with_context(problem: Problem, predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with everything beside them that the metrics need, so that they can be recomputed from the file."""
    context = problem.table[["model_id", *_CONTEXT]]
    return predictions.merge(context, on="model_id", how="left", validate="many_to_one")


def hash_predictions(predictions: pd.DataFrame) -> str:
    """Hash of the rows, independent of their order and of how parquet stored them."""
    return hash_rows(predictions, ["seed", "model_id"])


def write_predictions(predictions: pd.DataFrame, path: Path) -> None:
    """Write the table as parquet, whole or not at all."""
    with replacing(path) as temporary:
        predictions.to_parquet(temporary, index=False, compression="zstd")


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a predictions file.

    Raises
    ------
    ResultError
        If it is absent, not a parquet file of numbers and text, or one that unfolds without measure.
    """
    if not path.exists():
        raise ResultError(f"The predictions {path} are missing.")
    try:
        table: pd.DataFrame = read_parquet(path, str(path)).to_pandas()
    except ZooError as error:
        raise ResultError(f"The predictions cannot be read: {error}") from error
    return table
