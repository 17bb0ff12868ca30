"""Classification metrics against scikit-learn, also under weights, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference

from wslbench.tasks.metrics import classification as metrics

CLASSES = 4


@pytest.fixture
def labels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, CLASSES, 120)
    predicted = np.where(random.random(120) < 0.6, truth, random.integers(0, CLASSES, 120))
    return truth, predicted, random.integers(0, 15, 120)


def confusion(truth: np.ndarray, predicted: np.ndarray, unit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    by_unit = metrics.confusion_by_unit(truth, predicted, unit, weights.shape[1], CLASSES)
    return metrics.resampled_confusion(by_unit, weights)


def test_agrees_with_scikit_learn_on_the_task_and_on_every_resample(labels) -> None:
    truth, predicted, unit = labels
    weights = np.vstack([np.ones(15), np.random.default_rng(1).integers(0, 4, (20, 15))]).astype(float)
    matrices = confusion(truth, predicted, unit, weights)
    for row, weight in enumerate(weights):
        rows = np.repeat(np.arange(len(truth)), weight[unit].astype(int))
        y, p = truth[rows], predicted[rows]
        assert np.array_equal(matrices[row], reference.confusion_matrix(y, p, labels=range(CLASSES)))
        assert metrics.balanced_accuracy(matrices)[row] == pytest.approx(reference.balanced_accuracy_score(y, p))
        assert metrics.macro_f1(matrices)[row] == pytest.approx(reference.f1_score(y, p, average="macro"))


def test_a_class_without_a_true_model_is_left_out_of_means_but_costs_where_it_is_predicted() -> None:
    matrix = np.array([[8.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    assert metrics.balanced_accuracy(matrix) == pytest.approx((0.8 + 1.0) / 2)
    assert metrics.macro_f1(matrix) == pytest.approx((2 * 8 / (10 + 8) + 1.0) / 2)
    assert np.isnan(metrics.recall(matrix)[1])


def test_nothing_to_score_is_undefined_not_zero() -> None:
    assert np.isnan(metrics.balanced_accuracy(np.zeros((3, 3))))
    assert np.isnan(metrics.log_loss(np.array([]), np.array([], dtype=np.int64), np.ones((1, 2)))).all()


def test_log_loss_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(2)
    probabilities = metrics.normalised(random.random((60, CLASSES)))
    truth, unit = random.integers(0, CLASSES, 60), random.integers(0, 6, 60)
    weights = np.array([[1.0] * 6, [0, 1, 2, 3, 0, 1]])
    loss = metrics.log_loss(probabilities[np.arange(60), truth], unit, weights)
    for row in range(2):
        expected = reference.log_loss(truth, probabilities, labels=range(CLASSES), sample_weight=weights[row][unit])
        assert loss[row] == pytest.approx(expected)


def test_log_loss_of_a_sure_mistake_is_bounded() -> None:
    loss = metrics.log_loss(np.array([0.0]), np.array([0]), np.ones((1, 1)))
    assert loss[0] == pytest.approx(-np.log(1e-6))


def test_claiming_every_class_for_certain_gains_nothing() -> None:
    claimed = metrics.normalised(np.ones((3, CLASSES)))
    assert metrics.log_loss(claimed[:, 0], np.zeros(3, dtype=np.int64), np.ones((1, 1)))[0] == pytest.approx(np.log(4))


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_normalising_survives_very_small_and_very_large_scores(scale: float) -> None:
    assert metrics.normalised(scale * np.array([[1.0, 3.0]])) == pytest.approx(np.array([[0.25, 0.75]]))
