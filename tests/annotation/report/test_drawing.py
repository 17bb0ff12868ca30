"""What figures show, where it could go wrong without an error."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.annotation.report.zoos import measured_by_hand
from wslbench.annotation.report.connectivity_kinds import kind_section
from wslbench.annotation.report.drawing.scatters import draw_kind
from wslbench.annotation.report.drawing.style import ACCENT, INK, picture


@pytest.mark.parametrize("usual", [[-9.0, -1.0, 3.0], [-60.0, -50.0, -40.0], [5.0, 5.0, 5.0]])
def test_every_cell_lies_within_the_axes_and_changed_ones_are_ringed(usual):
    cells = [
        {"loss": [0.3] * 3, "mc": value, "cka": 0.5, "pairs": {"linear_connectivity": value - 2}} for value in usual
    ]
    section = kind_section(measured_by_hand(cells), "linear")
    figure = Figure()
    draw_kind(figure, "lines", section)
    (axes,) = figure.axes
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert all(left < point.usual < right and low < point.other < high for point in section.points)
    assert left < -2 < right
    assert low < -2 < high
    shown = np.concatenate([line.get_xdata() for line in axes.lines if line.get_markersize() == 5])
    assert sorted(shown) == sorted(usual)
    ringed = next(line for line in axes.lines if line.get_markersize() == 9)
    assert list(ringed.get_xdata()) == [value for value in usual if -2 <= value < 0]


def test_the_two_colourings_differ_in_ink_alone():
    def draw(figure):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=ACCENT)
        axes.set_title("a $dollar$ & <b>")

    one = picture("name", "caption", "alt", (2, 2), draw)
    assert INK in one.light
    assert ACCENT in one.light
    assert INK not in one.dark
    assert ACCENT not in one.dark
    assert "a $dollar$ &amp; &lt;b&gt;" in one.light
    assert (one.width, one.height) == (192, 192)
