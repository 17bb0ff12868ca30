"""``import wslbench`` gives the public names, and loads nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wslbench


def test_every_public_name_resolves() -> None:
    for name in wslbench.__all__:
        assert getattr(wslbench, name) is not None
        assert name in dir(wslbench)


def test_other_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = wslbench.nonsense  # type: ignore[attr-defined]


def test_importing_wslbench_loads_nothing_heavy() -> None:
    script = "import sys, wslbench; print(*{'torch', 'pandas', 'numpy', 'scipy', 'pydantic'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.split() == []
