"""Numbers as the page shows them, by hand."""

import numpy as np
import pytest

from wslbench.annotation.report.cell_rows import Estimate
from wslbench.annotation.report.drawing.histograms import bin_edges
from wslbench.annotation.report.numbers import percent, shown, with_error

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (NAN, "–"), (-2.0, "−2"), (0.0, "0"), (12345.0, "12,345"), (0.02247, "0.0225"), (-1.976, "−1.98")],
)
def test_three_significant_digits(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.02238, 0.00031, "0.02238 ± 0.00031"),
        (-2.345, 0.52, "−2.35 ± 0.52"),
        (1234.5, 77.0, "1234 ± 77"),
        (0.5, NAN, "0.5"),
        (0.5, 0.0, "0.5"),
        (NAN, 0.1, "–"),
    ],
)
def test_a_value_has_the_decimals_of_its_error(value, error, text):
    assert with_error(Estimate(value=value, error=error)) == text


def test_shares_in_per_cent():
    assert (percent(0.876), percent(None), percent(0.0876, 1)) == ("88 %", "–", "8.8 %")


@pytest.mark.parametrize("values", [[0.1, 0.25, 0.9], [3.0, 3.0], [-8.0, -1.0, 0.0, 2.0, 3.1]])
@pytest.mark.parametrize("cutoff", [None, -2.0, 0.3, 7.0])
def test_bins_hold_every_value_and_none_straddles_the_cut_off(values, cutoff):
    edges = bin_edges(np.array(values), cutoff)
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    assert edges[0] <= min(values) <= max(values) <= edges[-1]
    assert np.histogram(values, edges)[0].sum() == len(values)
    if cutoff is not None and edges[0] < cutoff < edges[-1]:
        assert np.isclose(edges, cutoff).any()
