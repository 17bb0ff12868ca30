"""An engine by name, and the arguments that fit none."""

import pytest

from wslbench.engines import choice, make_engine
from wslbench.engines.local import LocalEngine
from wslbench.errors import ZooError


def test_local():
    assert isinstance(make_engine("local", 2), LocalEngine)


def test_ray():
    pytest.importorskip("ray")
    from wslbench.engines.ray_engine import RayEngine

    assert isinstance(make_engine("ray", 2, "auto"), RayEngine)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("local", 0), "at least one"),
        (("local", 2, "auto"), "only the ray engine"),
        (("slurm", 2), "no engine 'slurm'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ZooError, match=message):
        make_engine(*arguments)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=r'pip install "wslbench\[ray\]"'):
        make_engine("ray", 2)
