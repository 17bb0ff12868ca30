"""What the summary says of zoos whose troubles are known."""

from __future__ import annotations

import numpy as np

from tests.annotation.report.zoos import card_of, zoo_by_hand
from wslbench.annotation.report.contents import contents_of
from wslbench.annotation.report.measurements import measurements

LOW, HIGH = [0.001] * 4, [0.3] * 4


def said(cells, **changes):
    """Sentences of the summary by kind."""
    loads = [float(number) for number in range(1, len(cells) + 1)]
    zoo = zoo_by_hand(cells, card_of(loads, [0.1], **changes))
    found = contents_of(zoo, measurements(zoo)).summary
    kinds = [caution.kind for caution in found]
    assert kinds == sorted(kinds, key=["doubt", "gap", "fine"].index)
    return {
        kind: " ".join(caution.text for caution in found if caution.kind == kind) for kind in ("doubt", "gap", "fine")
    }


def cell(loss, mc, cka, phase, **more):
    return {"loss": loss, "mc": mc, "cka": cka, "phase": phase, **more}


def test_a_sound_zoo_has_little_to_doubt():
    two = [
        cell([loss] * 4, mc, cka, phase, phase_probability=1.0)
        for loss, mc, phase in [(0.3, -9, "I"), (0.3, 0, "II"), (0.001, -9, "III")]
        for cka in [0.5] * 12
    ]
    four = [
        cell(LOW, 0.0, cka, phase, phase_probability=1.0)
        for cka, phase in [(0.6, "IV-A"), (0.95, "IV-B")]
        for _ in range(12)
    ]
    told = said(two + four)
    assert told["doubt"] == ""
    assert "All 60 stored labels come out again" in told["fine"]
    assert "Converged and not converged are two groups: separability 1.000" in told["fine"]
    assert "IV-A and IV-B are two groups" in told["fine"]
    assert "0 at ε = 1 and 0 at ε = 3" in told["fine"]
    assert "100 % with 3" in told["fine"]


def test_troubles_are_named():
    spread = np.geomspace(0.0005, 0.5, 30)
    cells = [cell([loss] * 4, -2.5, 0.5, "III" if loss < 0.02 else "I", unfinished=False) for loss in spread]
    cells[0] |= {"unfinished": True}
    cells[1] |= {"dead": True, "phase": None}
    former = {"annotation_version": 3, "confusion": {"I": {"I": 20, "III": 10}}, "changed": {}}
    rule = card_of([1], [0.1]).phase_rule | {"former": former}
    told = said(cells, phase_rule=rule)
    assert "No finished cell is in phase II, IV-A, IV-B." in told["doubt"]
    assert "1 of 30 (3.3 %) cells change phase when they are trained on" in told["doubt"]
    assert "1 of 30 (3.3 %) cells have no phase; 1 of them hold a dead or diverged run" in told["doubt"]
    assert "boundary between converged and not converged is a crossover" in told["doubt"]
    assert "of 29 cells, 0 at ε = 1 and 29 at ε = 3 change" in told["doubt"]
    assert "10 of 30 (33.3 %) labels differ from those of annotation version 3" in told["doubt"]
    assert "0 cells in IV are too few" in told["gap"]
    assert "Whether longer curves would change labels was not checked" in told["gap"]
    assert "no phase probabilities" in told["gap"]


def test_labels_from_elsewhere_and_a_hessian_that_disagrees():
    cells = [
        cell(loss, 0.0, 0.9, "I", runs={"hessian_trace": 100.0 if loss is LOW else 1.0}) for loss in (LOW, HIGH) * 3
    ]
    told = said(cells)
    assert "gives 0 of 6 (0.0 %) cells the label that the zoo stores" in told["doubt"]
    assert "parts 0 % of 6 cells as the train loss does" in told["doubt"]
    assert "Do not read converged as flat" in told["doubt"]


def test_curves_trained_longer_are_judged_by_the_labels_they_change():
    longer = [cell(HIGH, -3.0, 0.5, "I", pairs={"longer_mode_connectivity": value}) for value in (0.0, -4.0)]
    assert "twice as long change the label of 1 of 2 (50.0 %) checked cells" in said(longer)["doubt"]
    assert "change the label of 0 of 1 (0.0 %) checked cells" in said(longer[1:])["fine"]
