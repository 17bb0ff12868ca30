"""The same zoo from another engine."""

import pytest

from tests.engines.here import Here
from tests.population.recipes import tiny_recipe
from wslbench.engines import make_engine
from wslbench.population.build import build_zoo

pytest.importorskip("ray")


@pytest.mark.slow
def test_ray_grows_the_same_zoo(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    shares = []
    here = build_zoo(tiny_recipe(), tmp_path / "here", engine=Here()).zoo
    grown = build_zoo(tiny_recipe(), tmp_path / "tiny", report=shares.append, engine=make_engine("ray", 2)).zoo
    assert grown.versions["weights"] == here.versions["weights"]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
