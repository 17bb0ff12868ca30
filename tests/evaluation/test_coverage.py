"""How often the intervals hold what they say, in a simulated benchmark whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.evaluation.simulated_benchmark import Design, benchmarks, coverage
from tests.evaluation.synthetic import predictions
from wslbench.evaluation.bootstrap import draw_resamples, interval
from wslbench.evaluation.scoring import score

CASES = [("phase", "balanced_accuracy"), ("loss-gap", "kendall_tau"), ("loss-gap", "r2")]


def test_nominal_intervals_hold_the_estimand_of_dependent_cells() -> None:
    """The quick look: of 60 repetitions, no fewer and no more misses than 5 % would give once in a thousand times."""
    fewest, most = stats.binom.ppf([0.0005, 0.9995], 60, 0.05) / 60
    for found in coverage(Design("cell"), "phase", "balanced_accuracy", 60).values():
        assert fewest <= 1 - found.held <= most


def test_networks_drawn_one_by_one_would_hold_it_far_too_rarely() -> None:
    """Seeds of a cell are near-copies: an interval over networks is about half as wide as it should be."""
    whole, by_network = [], []
    for problem, (one, _) in benchmarks(Design("cell"), "phase", 8, seed=1):
        right = one.argmax(axis=1) == [problem.classes.index(phase) for phase in problem.table["phase"]]
        draws = score(problem, predictions(problem, one), draw_resamples(problem)).draws("balanced_accuracy")
        whole.append(np.diff(interval(draws)[1:]).item())
        random = np.random.default_rng(0)
        phases = problem.table["phase"].to_numpy(dtype=object)
        members = [right[phases == phase] for phase in problem.classes]
        shares = [each[random.integers(len(each), size=(1000, len(each)))].mean(axis=1) for each in members]
        by_network.append(np.diff(np.quantile(np.mean(shares, axis=0), [0.025, 0.975])).item())
    assert np.median(by_network) < 0.6 * np.median(whole)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "metric"), CASES)
def test_nominal_intervals_hold_the_estimand_93_to_97_times_in_100(target, metric) -> None:
    for found in coverage(Design("cell"), target, metric, 1000).values():
        assert 0.93 <= found.held <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("target", "metric"), CASES)
def test_intervals_over_whole_loads_hold_it_at_least_as_often(target, metric) -> None:
    """Loads that are laid out evenly differ less than the resamples do: ranks have wider intervals than they need."""
    for found in coverage(Design("load"), target, metric, 1000).values():
        assert found.held >= 0.93
