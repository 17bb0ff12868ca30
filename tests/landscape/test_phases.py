"""The phase rule on hand-made cells, on a published grid where it is at hand, and under resampled seeds."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wslbench.errors import LandscapeError
from wslbench.landscape import PHASES, PhaseCutoffs, assign_phases, fit_cutoffs, phase_probability

CUTOFFS = PhaseCutoffs(train_loss=0.02, cka=0.8)


def cell(loss, connectivity, cka):
    return {"train_loss": loss, "mode_connectivity": connectivity, "cka": cka}


def test_rule_by_hand():
    cells = pd.DataFrame(
        [
            cell(0.3, -9.0, 0.7),
            cell(0.3, 2.0, 0.9),
            cell(0.001, -5.0, 0.9),
            cell(0.001, -0.5, 0.7),
            cell(0.001, -0.5, 0.9),
        ],
        index=list("abcde"),
    ).assign(kept=range(5))
    labelled = assign_phases(cells, CUTOFFS)
    assert list(labelled["phase"]) == list(PHASES)
    assert list(labelled.index) == list("abcde")
    assert list(labelled["kept"]) == [0, 1, 2, 3, 4]
    assert "phase" not in cells.columns


def test_boundaries_belong_where_the_rule_puts_them():
    cells = pd.DataFrame([cell(0.02, -2.0, 0.8), cell(0.0199, -2.0, 0.8), cell(0.0199, -2.0001, 0.8)])
    assert list(assign_phases(cells, CUTOFFS)["phase"]) == ["II", "IV-B", "III"]


def test_missing_order_parameter_means_no_phase():
    cells = pd.DataFrame([cell(0.001, np.nan, np.nan), cell(0.001, 0.0, 0.9)])
    phases = assign_phases(cells, CUTOFFS)["phase"]
    assert phases.isna().tolist() == [True, False]
    assert phases[1] == "IV-B"


def test_missing_column_and_impossible_loss_are_named():
    with pytest.raises(LandscapeError, match="cka"):
        assign_phases(pd.DataFrame({"train_loss": [1.0], "mode_connectivity": [0.0]}))
    with pytest.raises(LandscapeError, match="row 1"):
        assign_phases(pd.DataFrame([cell(0.1, 0, 0.5), cell(0.0, 0, 0.5)]), CUTOFFS)


def test_own_cutoffs_need_cells_in_phase_four():
    with pytest.raises(LandscapeError, match="cutoffs"):
        assign_phases(pd.DataFrame([cell(0.3, -9, 0.5), cell(0.2, -9, 0.6), cell(0.001, -9, 0.7)]))


def test_published_grid():
    """Three columns of the measurements of Yang et al. 2021 (arXiv 2107.11228), ResNet-18 on CIFAR-10."""
    grid = pd.read_csv(Path(__file__).with_name("yang2021_order_parameters.csv"))
    counts = assign_phases(grid)["phase"].value_counts().to_dict()
    assert counts == {"I": 48, "II": 28, "III": 21, "IV-A": 33, "IV-B": 39}
    cutoffs = fit_cutoffs(grid)
    assert cutoffs.train_loss == pytest.approx(0.0186, abs=5e-5)
    assert cutoffs.cka == pytest.approx(0.673, abs=5e-4)
    assert cutoffs.train_loss_separability > cutoffs.train_loss_null  # a transition
    assert cutoffs.cka_separability < cutoffs.cka_null  # a crossover


def measured_cells(spread, seeds=5):
    """Cells in five clear phases, whose seeds scatter by ``spread``."""
    generator = np.random.default_rng(1)
    centres = np.array([[0.3, -9, 0.5], [0.3, 3, 0.5], [1e-3, -9, 0.5], [1e-3, 0, 0.6], [1e-3, 0, 0.95]]).repeat(8, 0)
    pairs = np.array(list(combinations(range(seeds), 2)))
    losses = centres[:, :1] * np.exp(spread * generator.normal(size=(40, seeds)))
    connectivity = centres[:, 1:2] + spread * generator.normal(size=(40, len(pairs)))
    cka = centres[:, 2:] + 0.05 * spread * generator.normal(size=(40, len(pairs)))
    return losses, pairs, connectivity, cka


def test_clear_cells_are_certain():
    probability = phase_probability(*measured_cells(0.05), draws=200)
    assert np.allclose(probability.sum(1), 1)
    assert (probability.argmax(1) == np.repeat(np.arange(5), 8)).all()
    assert probability.max(1).min() > 0.95


def test_a_cell_on_the_boundary_is_not():
    losses, pairs, connectivity, cka = measured_cells(0.05)
    connectivity[16] = -2.0 + 3 * np.random.default_rng(2).normal(size=len(pairs))
    connectivity[16] -= connectivity[16].mean() + 2.0
    probability = phase_probability(losses, pairs, connectivity, cka, draws=400)
    assert 0.2 < probability[16, 2] < 0.8


def test_bootstrap_is_seeded_and_wants_three_seeds():
    cells = measured_cells(0.5)
    assert (phase_probability(*cells, draws=50) == phase_probability(*cells, draws=50)).all()
    with pytest.raises(LandscapeError, match="3 seeds"):
        phase_probability(np.ones((4, 2)), np.array([[0, 1]]), np.ones((4, 1)), np.ones((4, 1)))
