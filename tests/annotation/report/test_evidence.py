"""Cut-offs, cross-checks, marks, health and former labels, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.annotation.report.zoos import FITTED, card_of, measured_by_hand, zoo_by_hand
from wslbench.annotation.report.cell_rows import cell_rows
from wslbench.annotation.report.cross_checks import certainty_section, hessian_checks
from wslbench.annotation.report.cutoff_evidence import cutoff_section
from wslbench.annotation.report.former_labels import former_section
from wslbench.annotation.report.head import head
from wslbench.annotation.report.health import health_section
from wslbench.annotation.report.measurements import measurements
from wslbench.annotation.report.record import confusion_of, printable

LOW, HIGH = [0.001] * 3, [0.3] * 3


def cell(loss, mc, cka, **more):
    return {"loss": loss, "mc": mc, "cka": cka, **more}


def test_cut_offs_have_their_values_and_evidence():
    cells = [
        cell([0.1] * 3, -5.0, 0.5, phase="I"),
        cell([0.001] * 3, -1.0, 0.2, phase="IV-A", unfinished=True),
        cell([0.001] * 3, 0.0, 0.3, phase="IV-A"),
        cell([0.0001] * 3, 1.0, 0.9, phase="IV-B"),
    ]
    section = cutoff_section(measured_by_hand(cells))
    loss = section.train_loss
    assert loss.values == pytest.approx([-4, -3, -3, -1])
    # Between −3 and −1: means −10/3 and −1, between-class variance 3/16 × (7/3)²; total 1.1875.
    assert loss.own == pytest.approx(10**-2)
    assert loss.separability == pytest.approx(3 / 16 * (7 / 3) ** 2 / 1.1875)
    assert loss.verdict == ("two groups" if loss.separability > loss.null else "crossover")
    assert (loss.used, loss.origin) == (0.02, "card")
    assert section.cka.values == pytest.approx([0.2, 0.3, 0.9])  # cells in IV only
    assert section.cka.own == pytest.approx(0.6)
    assert (section.mode_connectivity.used, section.mode_connectivity.origin) == (-2.0, "fixed")
    assert section.four_phases == {"I": 1, "II": 0, "III": 0, "IV": 3}
    assert section.four_phases_finished == {"I": 1, "II": 0, "III": 0, "IV": 2}


def test_one_value_has_no_separability():
    section = cutoff_section(measured_by_hand([cell(LOW, 0.0, 0.9)] * 2))
    assert (section.cka.verdict, section.cka.own, section.cka.separability) == ("undefined", None, None)


def test_tolerances_are_counted_where_they_reach_beyond_the_rule():
    cells = [cell(LOW, 0.0, 0.9, connectivity_tolerance=tolerance) for tolerance in (0.5, 2.0, 7.0)]
    section = cutoff_section(measured_by_hand(cells))
    assert (section.tolerant_cells, section.largest_tolerance) == (1, 7.0)


def test_the_hessian_agrees_where_converged_cells_are_flat():
    pairs = [(LOW, 1.0), (LOW, 2.0), (LOW, 100.0), (HIGH, 200.0), (HIGH, 1.5), (HIGH, -3.0)]
    cells = [cell(loss, 0.0, 0.9, runs={"hessian_trace": trace}) for loss, trace in pairs]
    (check,) = hessian_checks(measured_by_hand(cells))
    assert (check.side, check.cells, check.left_out) == ("train", 5, 1)
    assert (check.converged_sharp, check.unconverged_flat) == (1, 1)
    assert check.agreement == pytest.approx(3 / 5)
    assert check.cutoff == pytest.approx(10 ** ((np.log10(2) + 2) / 2))


def test_certainty_counts_finished_and_unfinished_apart():
    cells = [
        cell(LOW, 0.0, 0.9, phase="IV-B", phase_probability=p, unfinished=unfinished)
        for p, unfinished in [(1.0, False), (0.8, False), (0.79, False), (0.3, False), (0.99, True)]
    ]
    section = certainty_section(measured_by_hand(cells))
    assert section.certain_share == 0.5
    assert section.certain_by_phase == {"I": None, "II": None, "III": None, "IV-A": None, "IV-B": 0.5}
    assert (sum(section.finished), sum(section.unfinished)) == (4, 1)
    assert section.finished[-1] == 1
    assert section.finished[16] == 1  # .8 is the first value of its bin
    assert certainty_section(measured_by_hand([cell(LOW, 0.0, 0.9)])) is None


def test_marks_and_reasons_of_cells():
    rows = cell_rows(
        measured_by_hand(
            [
                cell([0.001, 0.002, 0.003], [-2.4, -2.0, -2.5], 0.9, phase="III", phase_probability=0.6),
                cell(LOW, 0.0, 0.9, phase="IV-B", phase_probability=0.9, unfinished=True),
                cell(LOW, 0.0, 0.9, dead=True),
                cell([0.01], 0.0, 0.9),
                cell(LOW, 0.0, np.nan),
            ]
        )
    )
    assert [row.marks for row in rows] == [["unstable"], ["unfinished"], ["dead"], ["unlabelled"], ["unlabelled"]]
    # −2.3 ± √(2/3 × ((−2.5 + 2.3)² + (−2.0 + 2.3)² + (−2.4 + 2.3)²)) = .3055: .98 errors from −2.
    assert rows[0].why == "mode connectivity is 1.0 standard errors from its cut-off"
    assert rows[0].distance == pytest.approx(0.3 / np.sqrt(2 / 3 * 0.14))
    assert rows[1].why == "another phase when trained on"
    assert rows[2].why == "a run of it is dead or diverged"
    assert rows[3].why.startswith("one seed")
    assert rows[4].why == "no value of CKA"


def test_health_counts_and_names_runs():
    cells = [
        cell(
            [0.1, 0.1, np.inf], 0.0, 0.9,
            runs={
                "diverged": [False, False, True],
                "hessian_trace": [10.0, -10.0, np.nan], "hessian_trace_se": [1.0, 1.01, np.nan],
                "hessian_top_eigenvalue": [5.0, 5.0, 0.0], "hessian_top_residual": [0.05, 0.06, 0.0],
            },
        )
    ]  # fmt: skip
    section = health_section(measured_by_hand(cells))
    found = {check.matter: (check.failed, check.missing, check.limit) for check in section.checks}
    assert found == {
        "marked as diverged": (1, 0, None),
        "train loss is not finite": (1, 0, None),
        "standard error of the Hessian trace (train) above its tolerance": (1, 1, 0.1),
        "residual of the top eigenvalue (train) above its tolerance": (1, 1, 0.01),
    }
    assert [(note.run_id, note.seed, note.value) for note in section.notes] == [
        ("c1-2", 2, None),
        ("c1-2", 2, None),
        ("c1-1", 1, pytest.approx(0.101)),
        ("c1-1", 1, pytest.approx(0.012)),
    ]


def test_an_unknown_tolerance_finds_nothing_wrong():
    runs = {"hessian_trace": 1.0, "hessian_trace_se": 9.0}
    measured = measured_by_hand([cell(LOW, 0.0, 0.9, runs=runs)], card_of([1], [0.1], recipe={}))
    check = next(check for check in health_section(measured).checks if "trace" in check.matter)
    assert (check.failed, check.limit, check.median) == (0, None, 9.0)


def test_former_labels_are_read_or_left():
    confusion = {"I": {"I": 5, "II": 2}, "none": {"III": 1}}
    changed = {"b": ["I", "II"], "a": [None, "III"], "c": ["I"]}
    former = {"annotation_version": 1, "confusion": confusion, "changed": changed}
    section = former_section(card_of([1], [0.1], phase_rule={"cutoffs": FITTED, "former": former}))
    assert (section.cells, section.changed) == (8, 3)
    assert list(section.confusion) == ["I", "II", "III", "IV-A", "IV-B", "none"]
    assert section.confusion["I"]["II"] == 2
    assert [(one.cell_id, one.before, one.after) for one in section.changes] == [("a", "none", "III"), ("b", "I", "II")]
    for broken in (None, "gone", {"annotation_version": 1}, {"annotation_version": 1, "confusion": {"I": ["II"]}}):
        assert former_section(card_of([1], [0.1], phase_rule={"former": broken})) is None
    assert former_section(card_of([1], [0.1], phase_rule=None)) is None


def test_the_head_says_how_order_parameters_were_measured():
    record = {"definition": {"name": "ours", "layer": None}, "subset": ",".join(map(str, range(300))), "t": [0, 1]}
    record["options"] = {"curve": {"epochs": 3}, "hessian": None, "data_set": "digits", "step_epochs": []}
    zoo = zoo_by_hand([cell(LOW, 0.0, 0.9)], card_of([1], [0.1], annotation=record))
    told = {fact.name: fact.value for fact in head(zoo, measurements(zoo)).definition}
    assert told["definition · name"] == "ours"
    assert told["t"] == "0, 1"
    assert told["subset"].startswith("0,1,2,3,")
    assert told["subset"].endswith("… (1,089 characters)")
    assert told["options · data_set"] == "digits"
    assert len(told) == 4  # no curve a second time, nothing that is empty
    before = zoo_by_hand([cell(LOW, 0.0, 0.9)], card_of([1], [0.1], recipe={"curve": {"epochs": 40}, "seeds": 3}))
    assert [(fact.name, fact.value) for fact in head(before, measurements(before)).definition] == [
        ("curve · epochs", "40")
    ]


def test_confusion_has_a_row_for_no_phase_only_where_one_is_missing():
    assert list(confusion_of(["I"], ["II"])) == ["I", "II", "III", "IV-A", "IV-B"]
    assert confusion_of(["I", None], ["II", "I"])["none"]["I"] == 1


def test_foreign_text_keeps_what_can_be_printed():
    assert printable("β × 2 <b>\x1b[31m\u202e\nend\ud800") == "β × 2 <b>�[31m� end�"
