"""What the report takes from a zoo, by hand and against what the embedded zoos store of themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.annotation.report.zoos import card_of, measured_by_hand, zoo_by_hand
from wslbench.annotation.report.measurements import measurements
from wslbench.annotation.report.pair_values import end_errors, pair_means
from wslbench.errors import LandscapeError, ZooFormatError
from wslbench.zoo import embedded_zoos, load_zoo

LOW, HIGH = [0.001] * 3, [0.3] * 3


def test_means_and_errors_of_a_cell_by_hand():
    measured = measured_by_hand([{"loss": [0.1, 0.2, 0.6], "mc": [-1.0, -2.0, -6.0], "cka": [0.5, 0.6, 0.7]}])
    cell = measured.cells.loc["c1"]
    assert cell["train_loss"] == pytest.approx(0.3)
    assert cell["train_loss_se"] == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1) / np.sqrt(3))
    assert cell["mode_connectivity"] == pytest.approx(-3.0)
    # Pairs 01, 02, 12: without seed 0 there is −6 left, without 1 −2, without 2 −1; mean −3, squares 9 + 1 + 4.
    assert cell["mode_connectivity_se"] == pytest.approx(np.sqrt(2 / 3 * 14))
    assert (cell["runs"], cell["pairs"]) == (3, 3)


def test_jackknife_needs_a_pair_without_each_seed():
    pairs = pd.DataFrame({"cell_id": ["a", "b"], "seed_a": [0, 0], "seed_b": [1, 1], "x": [2.0, np.nan]})
    means = pair_means(pairs, "x")
    assert list(means.index) == ["a"]
    assert means.loc["a", "mean"] == 2
    assert np.isnan(means.loc["a", "error"])


def test_errors_of_seeds_stand_at_the_ends_of_their_curves():
    pairs = pd.DataFrame(
        {"cell_id": ["a"] * 3, "seed_a": [0, 0, 1], "seed_b": [1, 2, 2]}
        | {"train_error_0": [5.0, 5.0, 6.0], "train_error_0.5": [9.0] * 3, "train_error_1": [6.0, 7.0, 7.0]}
    )
    assert end_errors(pairs).to_dict() == {("a", 0): 5.0, ("a", 1): 6.0, ("a", 2): 7.0}


def test_labels_follow_the_cards_cut_offs_and_flags_are_kept():
    measured = measured_by_hand(
        [
            {"loss": LOW, "mc": 0.0, "cka": 0.9, "phase": "IV-B", "unfinished": True, "phase_probability": 0.6},
            {"loss": LOW, "mc": -9.0, "cka": 0.9, "phase": "<script>", "unfinished": False, "phase_probability": 1.0},
            {"loss": HIGH, "mc": 0.0, "cka": 0.9, "unfinished": False, "runs": {"dead": [False, True, False]}},
        ]
    )
    assert measured.frozen
    assert list(measured.cells["rule_phase"]) == ["IV-B", "III", None]
    assert list(measured.cells["phase"]) == ["IV-B", None, None]
    assert list(measured.cells["unfinished"]) == [True, False, False]
    assert list(measured.cells["labelled"]) == [True, True, False]


def test_a_run_without_a_loss_leaves_its_cell_without_a_mean():
    measured = measured_by_hand([{"loss": [0.1, np.nan, 0.1], "mc": 0.0, "cka": 0.5}])
    assert np.isnan(measured.cells.loc["c1", "train_loss"])
    assert not measured.cells.loc["c1", "labelled"]


def test_cut_offs_are_fitted_where_the_card_has_none():
    cells = [
        {"loss": [loss] * 3, "mc": mc, "cka": cka}
        for loss, mc, cka in [(0.3, -9, 0.5), (0.3, 0, 0.5), (0.001, -9, 0.5), (0.001, 0, 0.6), (0.001, 0, 0.9)]
    ]
    for rule in (
        None,
        {"text": "by eye"},
        {"cutoffs": {"train_loss": "low"}},
        {"cutoffs": {"train_loss": 0, "cka": 1}},
    ):
        measured = measured_by_hand(cells, card_of([1, 2, 3, 4, 5], [0.1], phase_rule=rule))
        assert not measured.frozen
        assert list(measured.cells["rule_phase"]) == ["I", "II", "III", "IV-A", "IV-B"]
    few = measured_by_hand(cells[:2], card_of([1, 2], [0.1], phase_rule=None))
    assert few.cutoffs is None
    assert "different values" in few.problem


def test_a_table_without_its_axes_and_two_cells_at_one_place_are_named():
    zoo = zoo_by_hand([{"loss": LOW, "mc": 0.0, "cka": 0.9}] * 2)
    zoo.table["width"] = 1.0
    with pytest.raises(LandscapeError, match="several cells of one width and learning_rate"):
        measurements(zoo)
    zoo.table["width"] = "wide"
    with pytest.raises(ZooFormatError, match="no column of numbers 'width'"):
        measurements(zoo)
    zoo.table = zoo.table.drop(columns=["width"])
    with pytest.raises(ZooFormatError, match="'width'"):
        measurements(zoo)


@pytest.mark.parametrize("name", embedded_zoos())
def test_embedded_zoos_agree_with_what_they_store(name):
    zoo = load_zoo(name)
    measured = measurements(zoo)
    cells = measured.cells
    assert measured.frozen
    own = cells[cells["labelled"]]
    assert (own["rule_phase"] == own["phase"]).all()
    assert cells.loc[~cells["labelled"], "phase"].isna().all()
    # What the card calls unfinished has another label at the continued epoch, where it was asked for.
    continued = zoo.card.recipe["unfinished_check"] != "none" if "unfinished_check" in zoo.card.recipe else True
    changed = own["continued_phase"] != own["phase"] if continued else own["unfinished"] & False
    assert (changed == own["unfinished"]).all()
    for quantity in ("mode_connectivity", "cka"):
        again = pair_means(measured.pairs, quantity).loc[cells.index]
        np.testing.assert_allclose(again["mean"], cells[quantity])
        np.testing.assert_allclose(again["error"], cells[f"{quantity}_se"])
    if measured.noise_factor is not None:
        spread = measured.end_errors.groupby("cell_id").std(ddof=1).loc[cells.index]
        np.testing.assert_allclose(measured.noise_factor * spread, cells["connectivity_tolerance"])
