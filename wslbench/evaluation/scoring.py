"""From predictions to scores, with the pooling that each family of metrics needs."""

from __future__ import annotations

import pandas as pd

from wslbench.evaluation.bootstrap import Resamples, draw_resamples
from wslbench.evaluation.predictions import prediction_array
from wslbench.evaluation.scores import Scores
from wslbench.evaluation.scoring_classification import score_classification
from wslbench.evaluation.scoring_regression import score_regression
from wslbench.tasks import Problem


def score(problem: Problem, predictions: pd.DataFrame, resamples: Resamples | None = None) -> Scores:
    """Score predictions on a task and on its resamples.

    Parameters
    ----------
    predictions
        A row for every model and seed, see :mod:`wslbench.evaluation.predictions`.
    resamples
        The task's resamples, if at hand; they are a function of the problem.

    Raises
    ------
    ResultError
        If the predictions are not complete: a model missing, twice, in a foreign fold, or not finite.
    """
    resamples = draw_resamples(problem) if resamples is None else resamples
    _, values = prediction_array(problem, predictions)
    if problem.is_classification:
        return score_classification(problem, values, resamples)
    return score_regression(problem, values[:, :, 0], resamples)
