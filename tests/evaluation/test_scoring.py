"""Pooling: what is pooled over folds, what is taken within them, what is left out, and what must not flatter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference
from scipy import stats

from tests.evaluation.synthetic import guesses, make_problem, predictions
from wslbench.errors import ResultError
from wslbench.evaluation.predictions import chance_prediction, complete_predictions
from wslbench.evaluation.scoring import score
from wslbench.tasks import Problem


def by_fold(problem: Problem, metric) -> list[float]:
    """A metric in each fold, with the fold's number of cells as weight, the obvious way."""
    values, cells = [], []
    for fold in problem.folds:
        rows = (problem.table["fold"] == fold).to_numpy()
        values.append(metric(rows, fold))
        cells.append(problem.table["cell_id"][rows].nunique())
    return float(np.average(values, weights=cells))


def test_regression_is_scored_within_folds_against_the_train_mean() -> None:
    problem = make_problem("test-accuracy")
    target = problem.table["target"].to_numpy(dtype=float)
    natural = problem.table["natural_target"].to_numpy(dtype=float)
    values = guesses(problem, 0.5)
    scores = score(problem, predictions(problem, values))
    back = 1 / (1 + np.exp(-values))

    def r2(truth, prediction):
        return by_fold(
            problem,
            lambda rows, fold: (
                1 - np.sum((truth[rows] - prediction[rows]) ** 2) / np.sum((truth[rows] - truth[~rows].mean()) ** 2)
            ),
        )

    expected = {
        "r2": r2(target, values),
        "r2_natural": r2(natural, back),
        "kendall_tau": by_fold(problem, lambda rows, _: stats.kendalltau(target[rows], values[rows]).statistic),
        "spearman": by_fold(problem, lambda rows, _: stats.spearmanr(target[rows], values[rows]).statistic),
        "mae": np.abs(target - values).mean(),
        "mae_natural": np.abs(natural - back).mean(),
    }
    frame = problem.table.assign(p=values)
    expected["kendall_tau_within_cell"] = np.mean(
        [stats.kendalltau(cell["target"].astype(float), cell["p"]).statistic for _, cell in frame.groupby("cell_id")]
    )
    assert scores.metrics.keys() == expected.keys()
    for name, value in expected.items():
        assert scores.draws(name)[0] == pytest.approx(value), name


def test_regression_per_phase_is_tau_within_folds_and_mae_over_the_global_spread() -> None:
    problem = make_problem(cells=200)
    target = problem.table["target"].to_numpy(dtype=float)
    values = guesses(problem, 0.3)
    scores = score(problem, predictions(problem, values))
    phase = problem.table["phase"].to_numpy(dtype=object)
    for name, draws in scores.per_phase.items():
        inside = phase == name
        error = np.abs(target - values)[inside].mean() / target.std()
        assert draws["mae_over_sd"][0, 0] == pytest.approx(error)
        taus, cells = [], []
        for fold in problem.folds:
            rows = inside & (problem.table["fold"] == fold).to_numpy()
            taus.append(stats.kendalltau(target[rows], values[rows]).statistic)
            cells.append(problem.table["cell_id"][rows].nunique())
        assert draws["kendall_tau"][0, 0] == pytest.approx(np.average(taus, weights=cells))


@pytest.mark.parametrize("unit", ["cell", "width"])
def test_the_train_mean_scores_nothing_where_pooling_would_punish_it(unit: str) -> None:
    problem = make_problem(unit=unit)
    chance = complete_predictions(problem, pd.DataFrame(), seeds=[0])
    scores = score(problem, chance)
    for metric in ("kendall_tau", "spearman", "r2"):
        assert scores.draws(metric) == pytest.approx(0, abs=1e-12)
    pooled = chance.set_index("model_id").loc[problem.model_ids, "prediction"]
    assert stats.kendalltau(problem.table["target"].astype(float), pooled).statistic < -0.05


def test_classification_is_pooled_over_folds() -> None:
    problem = make_problem("phase")
    probabilities = guesses(problem, 1.5)
    scores = score(problem, predictions(problem, probabilities))
    truth = problem.table["phase"].to_numpy(dtype=object).astype(str)
    predicted = np.array(problem.classes)[probabilities.argmax(axis=1)]
    sure = problem.table["phase_probability"].to_numpy() >= 0.8
    for suffix, rows in (("", np.ones(len(truth), dtype=bool)), ("_confident", sure)):
        y, p = truth[rows], predicted[rows]
        assert scores.draws(f"balanced_accuracy{suffix}")[0] == pytest.approx(reference.balanced_accuracy_score(y, p))
        assert scores.draws(f"macro_f1{suffix}")[0] == pytest.approx(reference.f1_score(y, p, average="macro"))
        loss = reference.log_loss(y, probabilities[rows], labels=list(problem.classes))
        assert scores.draws(f"log_loss{suffix}")[0] == pytest.approx(loss)
    matrix = reference.confusion_matrix(truth, predicted, labels=list(problem.classes))
    assert np.array_equal(scores.confusion, matrix)
    recalls = reference.recall_score(truth, predicted, labels=list(problem.classes), average=None)
    for phase, recall in zip(problem.classes, recalls, strict=True):
        assert scores.per_phase[phase]["recall"][0, 0] == pytest.approx(recall)


def test_with_iv_merged_probabilities_add_before_the_choice() -> None:
    problem = make_problem("phase")
    a, b = problem.classes.index("IV-A"), problem.classes.index("IV-B")
    probabilities = guesses(problem, 1.5)
    scores = score(problem, predictions(problem, probabilities))
    merged = np.delete(probabilities, b, axis=1)
    merged[:, a] += probabilities[:, b]
    classes = [phase for phase in problem.classes if phase != "IV-B"]
    truth = problem.table["phase"].replace("IV-B", "IV-A").to_numpy(dtype=object).astype(str)
    predicted = np.array(classes)[merged.argmax(axis=1)]
    expected = reference.balanced_accuracy_score(truth, predicted)
    assert scores.draws("balanced_accuracy_iv_merged")[0] == pytest.approx(expected)
    loss = reference.log_loss(truth, merged, labels=classes)
    assert scores.draws("log_loss_iv_merged")[0] == pytest.approx(loss)


def test_models_of_a_phase_that_training_lacks_are_left_out_of_every_metric() -> None:
    problem = make_problem("phase", cells=10, folds=5, unit="width")
    assert 0 < problem.scored.sum() < len(problem.table)
    right = guesses(problem, 0.0)
    wrong = right.copy()
    wrong[~problem.scored] = np.roll(right[~problem.scored], 1, axis=1)
    for name in ("balanced_accuracy", "macro_f1", "log_loss"):
        one, other = (score(problem, predictions(problem, values)).draws(name) for values in (right, wrong))
        assert np.array_equal(one, other, equal_nan=True)


def test_the_value_is_the_mean_over_seeds_and_the_spread_stays_visible() -> None:
    problem = make_problem()
    frames = [predictions(problem, guesses(problem, 0.5, seed), seeds=(seed,)) for seed in (1, 2, 3)]
    together = score(problem, pd.concat(frames).sample(frac=1, random_state=0))
    apart = [score(problem, frame).draws("kendall_tau") for frame in frames]
    assert together.draws("kendall_tau") == pytest.approx(np.mean(apart, axis=0))
    assert together.metrics["kendall_tau"][:, 0] == pytest.approx([draws[0] for draws in apart])


DAMAGE = {
    "a model is missing": lambda whole: whole.drop(index=3),
    "one stands twice": lambda whole: pd.concat([whole, whole.iloc[:1]]),
    "one takes another's place": lambda whole: whole.assign(
        model_id=whole["model_id"].where(whole.index != 3, whole["model_id"][4])
    ),
    "folds are foreign": lambda whole: whole.assign(fold=(whole["fold"] + 1) % 5),
    "one is not finite": lambda whole: whole.assign(**{whole.columns[0]: np.where(whole.index == 3, np.nan, 0.5)}),
    "a column is missing": lambda whole: whole.drop(columns=whole.columns[0]),
    "there are none": lambda whole: whole.iloc[:0],
}


@pytest.mark.parametrize("target", ["loss-gap", "phase"])
@pytest.mark.parametrize("what", DAMAGE)
def test_incomplete_predictions_are_refused(target: str, what: str) -> None:
    problem = make_problem(target)
    whole = predictions(problem, guesses(problem, 0.1), seeds=(0, 1))
    assert whole.columns[0] in ("prediction", "p:I")
    with pytest.raises(ResultError):
        score(problem, DAMAGE[what](whole))


def test_negative_probabilities_are_refused() -> None:
    problem = make_problem("phase")
    with pytest.raises(ResultError, match="not probabilities"):
        score(problem, predictions(problem, guesses(problem, 0.1) - 0.5))


def test_huge_predictions_give_finite_metrics() -> None:
    problem = make_problem("test-accuracy")
    values = guesses(problem, 0.1)
    values[:3] = [1e300, -1e300, 1e200]
    scores = score(problem, predictions(problem, values))
    assert all(np.isfinite(scores.draws(name)[0]) for name in scores.metrics)


def test_gaps_are_filled_with_what_chance_says_and_marked() -> None:
    for target in ("loss-gap", "phase"):
        problem = make_problem(target)
        whole = predictions(problem, guesses(problem, 0.1), seeds=(0, 1))
        delivered = whole.iloc[10:].copy()
        delivered.loc[delivered.index[5], "failed"] = True
        complete = complete_predictions(problem, delivered, seeds=[0, 1])
        assert len(complete) == len(whole)
        assert complete["failed"].sum() == 11
        columns = [name for name in complete if name == "prediction" or name.startswith("p:")]
        for row in complete[complete["failed"]].itertuples():
            train = problem.train(row.fold)["target"]
            values = complete.loc[row.Index, columns].to_numpy(dtype=float)
            if target == "phase":
                seen = [float((train == phase).any()) for phase in problem.classes]
                expected = [share / sum(seen) for share in seen]
            else:
                expected = [train.astype(float).mean()]
            assert values == pytest.approx(expected)
            assert values == pytest.approx(chance_prediction(problem, row.fold))
        kept = complete[~complete["failed"]].set_index(["seed", "model_id"])[columns]
        assert kept.equals(whole.set_index(["seed", "model_id"]).loc[kept.index, columns])


def test_predictions_that_were_not_asked_for_are_refused() -> None:
    problem = make_problem()
    whole = predictions(problem, guesses(problem, 0.1))
    with pytest.raises(ResultError, match="does not ask"):
        complete_predictions(problem, whole.assign(model_id="stranger"), seeds=[0])
    with pytest.raises(ResultError, match="does not ask"):
        complete_predictions(problem, whole, seeds=[1])
    with pytest.raises(ResultError, match="Two predictions"):
        complete_predictions(problem, pd.concat([whole, whole.iloc[:1]]), seeds=[0])
