"""The envelope is the upper concave one, and lift is 1 for real networks, 0 on it, and nothing outside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from wslbench.generation import upper_envelope


def test_by_hand():
    envelope = upper_envelope([0, 1, 2, 1, 2], [0.9, 0.2, 0.1, 0.8, 0.0])
    assert envelope.novelty.tolist() == [0, 1, 2]
    assert envelope.accuracy.tolist() == [0.9, 0.8, 0.1]
    assert envelope.at(0.5) == pytest.approx(0.85)
    assert upper_envelope([0, 1, 2], [0.9, 0.2, 0.1]).at(1) == pytest.approx(0.5)


def test_corners_are_those_of_the_convex_hull():
    points = np.random.default_rng(0).normal(size=(200, 2))
    envelope = upper_envelope(*points.T)
    corners = points[ConvexHull(points).vertices]
    first, last = points[points[:, 0].argmin()], points[points[:, 0].argmax()]
    line = first[1] + (corners[:, 0] - first[0]) * (last[1] - first[1]) / (last[0] - first[0])
    upper = corners[corners[:, 1] >= line - 1e-12]
    np.testing.assert_allclose(np.column_stack([envelope.novelty, envelope.accuracy]), upper[np.argsort(upper[:, 0])])
    assert all(envelope.at(x) >= y - 1e-12 for x, y in points)


def test_mixing_two_comparators_does_not_rise_above_the_envelope():
    novelty, accuracy = np.array([0, 0.3, 1.5, 4]), np.array([0.95, 0.6, 0.5, 0.1])
    envelope = upper_envelope(novelty, accuracy)
    random = np.random.default_rng(0)
    for shares in random.dirichlet(np.ones(4), 200):
        assert shares @ accuracy <= envelope.at(shares @ novelty) + 1e-12


def test_lift_is_one_for_real_networks_and_zero_on_the_envelope():
    envelope = upper_envelope([0, 0.5, 4], [0.95, 0.7, 0.1])
    assert envelope.lift(1.0, 0.94, 1.0, 0.94) == pytest.approx(1)
    for novelty in (0, 0.2, 0.5, 3.9):
        assert envelope.lift(novelty, envelope.at(novelty), 1.0, 0.94) == pytest.approx(0)
    assert envelope.lift(1.0, 0.1, 1.0, 0.94) < 0
    half = (0.94 + envelope.at(1.0)) / 2
    assert envelope.lift(1.0, half, 1.0, 0.94) == pytest.approx(0.5)


def test_out_of_range_there_is_no_lift():
    envelope = upper_envelope([0.1, 2], [0.9, 0.3])
    assert np.isnan(envelope.lift(2.1, 0.9, 1.0, 0.95))
    assert np.isnan(envelope.lift(0.05, 0.9, 1.0, 0.95))
    assert np.isnan(envelope.lift(1.0, 0.9, 3.0, 0.95))
    assert np.isnan(envelope.lift(1.0, 0.9, 1.0, 0.5))


def test_points_that_are_none_are_refused():
    for novelty, accuracy in (([], []), ([0, np.nan], [1, 1]), ([0, 1], [1, np.inf])):
        with pytest.raises(ValueError, match="finite"):
            upper_envelope(novelty, accuracy)
