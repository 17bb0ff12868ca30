"""Running methods, given as source code, on synthetic units under the real seal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import MethodFile, read_method_file
from wslbench.evaluation.synthetic import synthetic_unit
from wslbench.evaluation.unit import Unit, UnitResult, run_unit

PHASES_UNIT = synthetic_unit("phase_classification", "phases")
NUMBERS_UNIT = synthetic_unit("accuracy_prediction", "numbers")


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """A fork server that all tests share."""
    with Launcher(["pandas", "psutil"]) as shared:
        yield shared


class WriteMethod(Protocol):
    """Writes source code into a method file."""

    def __call__(self, source: str, name: str = "method.py") -> Path: ...


@pytest.fixture
def write_method(tmp_path: Path) -> WriteMethod:
    """Write a method file; the source may be indented."""

    def write(source: str, name: str = "method.py") -> Path:
        path = tmp_path / name
        path.write_text(dedent(source))
        return path

    return write


class RunMethod(Protocol):
    """Runs source code on a unit."""

    def __call__(self, source: str, unit: Unit = NUMBERS_UNIT, limits: Limits = Limits(60.0)) -> UnitResult: ...  # noqa: B008


@pytest.fixture
def run_method(write_method: WriteMethod, launcher: Launcher) -> RunMethod:
    """Run a method on a unit, in a process of its own; numbers unless told otherwise."""

    def run(source: str, unit: Unit = NUMBERS_UNIT, limits: Limits = Limits(60.0)) -> UnitResult:  # noqa: B008
        method: MethodFile = read_method_file(write_method(source))
        return run_unit(unit, method, launcher, limits, threading.Event())

    return run
