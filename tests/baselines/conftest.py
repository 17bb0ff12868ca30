"""A made-up population that all tests of the baselines share."""

from __future__ import annotations

import pytest

from tests.baselines.made import Population, make_population


@pytest.fixture(scope="session")
def population() -> Population:
    """24 cells of 3 seeds each, on 4 widths × 6 temperatures."""
    return make_population()
