"""Error metrics against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference

from wslbench.tasks.metrics import regression


def test_agrees_with_scikit_learn_on_every_resample() -> None:
    random = np.random.default_rng(0)
    truth, prediction, unit = random.normal(size=50), random.normal(size=50), random.integers(0, 8, 50)
    weights = np.vstack([np.ones(8), random.integers(0, 4, (10, 8))]).astype(float)
    error = regression.mae(truth, prediction, unit, weights)
    for row, weight in enumerate(weights):
        rows = weight[unit]
        mean = np.average(truth, weights=rows)
        share = regression.r2(truth, prediction, mean, unit, weights[row : row + 1])[0]
        assert share == pytest.approx(reference.r2_score(truth, prediction, sample_weight=rows))
        assert error[row] == pytest.approx(reference.mean_absolute_error(truth, prediction, sample_weight=rows))


def test_predicting_the_train_mean_scores_zero_where_scikit_learn_says_less() -> None:
    truth = np.array([3.0, 4.0, 5.0])
    unit, weights = np.arange(3), np.ones((1, 3))
    assert regression.r2(truth, np.full(3, 1.0), 1.0, unit, weights)[0] == 0
    assert reference.r2_score(truth, np.full(3, 1.0)) < 0


def test_r2_is_undefined_where_every_target_is_the_reference() -> None:
    assert np.isnan(regression.r2(np.ones(3), np.zeros(3), 1.0, np.arange(3), np.ones((1, 3)))).all()


def test_folds_count_by_their_cells_and_undefined_ones_not_at_all() -> None:
    values = np.array([[0.2, 0.2, np.nan], [0.8, np.nan, np.nan]])
    cells = np.array([[3.0, 3.0, 3.0], [1.0, 1.0, 1.0]])
    average = regression.average_over_folds(values, cells)
    assert average[:2] == pytest.approx([(3 * 0.2 + 0.8) / 4, 0.2])
    assert np.isnan(average[2])


def test_a_fold_that_a_resample_leaves_out_does_not_count() -> None:
    average = regression.average_over_folds(np.array([[0.2], [np.nan]]), np.array([[3.0], [0.0]]))
    assert average[0] == pytest.approx(0.2)
