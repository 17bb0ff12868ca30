"""Labels under other choices, on cells whose labels can be told by eye."""

from __future__ import annotations

import pytest

from tests.annotation.report.zoos import FITTED, card_of, measured_by_hand
from wslbench.annotation.report.connectivity_kinds import kind_section
from wslbench.annotation.report.measurements import measurements
from wslbench.annotation.report.seed_subsets import MOST_SUBSETS, chosen_subsets, subset_section
from wslbench.annotation.report.threshold_sensitivity import threshold_section
from wslbench.landscape import PHASES
from wslbench.zoo import embedded_zoos, load_zoo

LOW, HIGH = [0.001] * 3, [0.3] * 3


def counts(*numbers):
    return dict(zip(PHASES, numbers, strict=True))


def cells_at(*connectivities, loss=HIGH, cka=0.5, **more):
    return [{"loss": loss, "mc": mc, "cka": cka, **more} for mc in connectivities]


def test_epsilon_moves_the_cells_between_and_no_others():
    section = threshold_section(measured_by_hand(cells_at(0.0, -0.5, -1.5, -2.5, -4.0, -4.5)))
    connected = {row.value: row.frozen.counts["II"] for row in section.epsilon}
    assert connected == {0.0: 1, 1.0: 2, 2.0: 3, 3.0: 4, 4.0: 5}
    assert {row.value: row.frozen.changed for row in section.epsilon} == {0.0: 2, 1.0: 1, 2.0: 0, 3.0: 1, 4.0: 2}
    assert [row.value for row in section.epsilon if row.used] == [2.0]
    assert section.noise == []
    # The cut-offs of this card were given, not fitted.
    assert all(row.refitted is None for row in section.epsilon)


def test_fitted_cut_offs_move_with_epsilon():
    in_four = [cells_at(mc, loss=LOW, cka=cka)[0] for mc, cka in [(0.0, 0.9), (0.0, 0.88), (-1.0, 0.7), (-3.0, 0.2)]]
    card = card_of([1, 2, 3, 4, 5], [0.1], phase_rule={"cutoffs": FITTED})
    section = threshold_section(measured_by_hand([*in_four, *cells_at(0.0)], card))
    rows = {row.value: row for row in section.epsilon}
    # At 2, CKA parts .7 from .88; at 3, the cell of .2 comes in and stands apart from all others.
    assert rows[2.0].refitted.cutoffs.cka == pytest.approx(0.79)
    assert rows[2.0].refitted.counts == counts(0, 1, 1, 1, 2)
    assert rows[3.0].refitted.cutoffs.cka == pytest.approx(0.45)
    assert rows[3.0].refitted.counts == counts(0, 1, 0, 1, 3)
    assert rows[3.0].refitted.changed == 2
    assert rows[3.0].frozen.counts == counts(0, 1, 0, 2, 2)
    assert rows[3.0].frozen.changed == 1


def test_too_few_cells_for_cut_offs_of_their_own_are_said_so():
    card = card_of([1, 2, 3], [0.1], phase_rule={"cutoffs": FITTED})
    section = threshold_section(measured_by_hand([*cells_at(-0.5, loss=LOW), *cells_at(0.0, -3.0)], card))
    assert [row.refitted for row in section.epsilon] == [None] * 5
    assert all(row.frozen is not None for row in section.epsilon)


def test_a_tolerance_holds_whatever_epsilon_is_and_its_factor_is_varied():
    card = card_of([1, 2, 3], [0.1], recipe={"connectivity_noise": 2.0})
    cells = cells_at(-5.0, connectivity_tolerance=6.0) + cells_at(-5.0, connectivity_tolerance=4.0) + cells_at(0.0)
    section = threshold_section(measured_by_hand(cells, card))
    assert {row.value: row.frozen.counts["II"] for row in section.epsilon} == {0.0: 2, 1.0: 2, 2.0: 2, 3.0: 2, 4.0: 2}
    assert {row.value: row.frozen.counts["II"] for row in section.noise} == {0.0: 1, 1.0: 1, 2.0: 2, 4.0: 3}


@pytest.mark.parametrize("name", embedded_zoos())
def test_counts_of_embedded_zoos_are_those_of_their_cards(name):
    measured = measurements(load_zoo(name))
    section = threshold_section(measured)
    stored = measured.cells["phase"].value_counts().to_dict()
    own = next(row for row in section.epsilon if row.used)
    # A zoo too small for cut-offs of its own has those of another, which no refit gives.
    borrowed = measured.card.phase_rule["cutoffs"]["train_loss_separability"] is None
    for found in (own.frozen,) if borrowed else (own.frozen, own.refitted):
        assert {phase: count for phase, count in found.counts.items() if count} == stored
        assert found.changed == 0
    for key, told in measured.card.phase_rule.get("sensitivity", {}).items():
        if key.startswith("connectivity_noise="):
            row = next(row for row in section.noise if row.value == float(key.partition("=")[2]))
            assert row.refitted.counts == told


def test_fewer_seeds_by_hand():
    # Mean loss .02 or above: not converged. Every subset with seed 3 has a mean of at least .025.
    one_off = {"loss": [0.001, 0.001, 0.001, 0.1], "mc": 0.0, "cka": 0.9}
    steady = {"loss": [0.001] * 4, "mc": 0.0, "cka": 0.9}
    section = subset_section(measured_by_hand([one_off, steady]))
    assert (section.seeds, section.cells, section.left_out, section.refitted) == (4, 2, 0, False)
    (row,) = section.rows
    assert (row.seeds, row.subsets, row.possible) == (3, 4, 4)
    # Without seed 3 the first cell is IV-B, not II: one of four subsets disagrees on it.
    assert row.by_phase == {"I": None, "II": 0.75, "III": None, "IV-A": None, "IV-B": 1.0}
    assert (row.agreement, row.lowest, row.highest) == (0.875, 0.5, 1.0)


def test_fewer_seeds_take_their_own_pairs_alone():
    # Pairs 01 02 03 12 13 23: those with seed 3 fall to −9, so that the mean is −4.5, and 0 without seed 3.
    cell = {"loss": [0.3] * 4, "mc": [0.0, 0.0, -9.0, 0.0, -9.0, -9.0], "cka": 0.5}
    (row,) = subset_section(measured_by_hand([cell])).rows
    assert row.by_phase["I"] == 0.75


def test_fewer_seeds_have_a_tolerance_of_their_own():
    # Errors of the seeds 0, 0, 0, 20: spread 10. Tolerance 10 with all; 11.5 with seed 3, and none (−2) without it.
    ends = {"train_error_0": [0, 0, 0, 0, 0, 0], "train_error_0.5": 0, "train_error_1": [0, 0, 20, 0, 20, 20]}
    cell = {"loss": [0.3] * 4, "mc": -6.0, "cka": 0.5, "connectivity_tolerance": 10.0, "pairs": ends}
    (row,) = subset_section(measured_by_hand([cell], card_of([1], [0.1], recipe={"connectivity_noise": 1.0}))).rows
    assert row.by_phase["II"] == 0.75


def test_cells_without_all_seeds_are_left_out_and_few_seeds_are_not_compared():
    three, four = ({"loss": [0.3] * n, "mc": 0.0, "cka": 0.9} for n in (3, 4))
    section = subset_section(measured_by_hand([three, four]))
    assert (section.cells, section.left_out) == (1, 1)
    few = subset_section(measured_by_hand([three]))
    assert few.rows == []
    assert "3 seeds" in few.why_not


def test_many_subsets_are_a_seeded_sample():
    assert chosen_subsets(5, 3)[0] == (0, 1, 2)
    assert len(chosen_subsets(5, 3)) == 10
    sample = chosen_subsets(12, 4)
    assert len(set(sample)) == MOST_SUBSETS
    assert sample == chosen_subsets(12, 4)
    assert all(len(set(subset)) == 4 and max(subset) < 12 for subset in sample)


def test_another_kind_of_connectivity_is_compared_on_the_same_pairs():
    nan = float("nan")
    longer = [
        {"loss": HIGH, "mc": [-3.0, 5.0, 5.0], "cka": 0.5, "pairs": {"longer_mode_connectivity": [-1.0, nan, nan]}},
        {"loss": HIGH, "mc": [-1.0, 9.0, -5.0], "cka": 0.5, "pairs": {"longer_mode_connectivity": [-1.5, 8.0, nan]}},
        {"loss": HIGH, "mc": 0.0, "cka": 0.5, "pairs": {"longer_mode_connectivity": nan}},
    ]
    section = kind_section(measured_by_hand(longer), "longer")
    assert (section.cells, section.pairs, section.changed) == (2, 3, 1)
    assert section.usual == counts(1, 1, 0, 0, 0)
    assert section.other == counts(0, 2, 0, 0, 0)
    assert section.confusion["I"]["II"] == section.confusion["II"]["II"] == 1
    # Cell means 4 → 3.25, and −3 → −1.
    assert section.median_difference == pytest.approx((2 - 0.75) / 2)
    assert section.largest_difference == pytest.approx(2)
    points = {point.cell_id: (point.usual, point.other, point.label, point.other_label) for point in section.points}
    assert points == {"c1": (-3.0, -1.0, "I", "II"), "c2": (4.0, 3.25, "II", "II")}


def test_connectivity_in_test_error_follows_from_the_curve():
    curve = dict(zip(("0", "0.25", "0.5", "0.75", "1"), (4.0, 9.0, 5.0, 6.0, 6.0), strict=True))
    pairs = {f"test_error_{t}": value for t, value in curve.items()}
    section = kind_section(measured_by_hand([{"loss": LOW, "mc": 0.0, "cka": 0.9, "pairs": pairs}]), "test")
    assert section.points[0].other == pytest.approx(-4.0)  # the mean of the ends is 5, the farthest point 9
    assert section.confusion["IV-B"]["III"] == 1


def test_kinds_that_a_zoo_lacks_are_none():
    measured = measured_by_hand(cells_at(0.0))
    assert [kind_section(measured, kind) for kind in ("longer", "linear", "aligned", "test")] == [None] * 4
