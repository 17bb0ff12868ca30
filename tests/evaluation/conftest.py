"""Running methods, given as source code, on synthetic units under the real seal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

from wslbench.evaluation import bubblewrap
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import MethodFile, read_method_file
from wslbench.evaluation.sandbox import Sandbox, sandbox_for
from wslbench.evaluation.synthetic import synthetic_unit
from wslbench.evaluation.unit import Unit, UnitResult, run_unit

PHASES_UNIT = synthetic_unit("phase_classification", "phases")
NUMBERS_UNIT = synthetic_unit("accuracy_prediction", "numbers")


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """A fork server that all tests share."""
    with Launcher(["pandas", "psutil"]) as shared:
        yield shared


@pytest.fixture(scope="session")
def method_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where methods lie that the shared sandbox shows to its units."""
    return tmp_path_factory.mktemp("methods")


@pytest.fixture(scope="session")
def sandbox(method_folder: Path) -> Sandbox:
    """The sandbox that all tests share."""
    why = bubblewrap.obstacle()
    if why is not None:
        pytest.skip(why)
    (method_folder / "any.py").write_text("import pandas, psutil\n")
    own = sandbox_for(read_method_file(method_folder / "any.py"), 2**28)
    return replace(own, readable=(*own.readable, method_folder))


@pytest.fixture(scope="session")
def sandboxed_launcher(sandbox: Sandbox) -> Iterator[Launcher]:
    """A fork server in the sandbox that all tests share."""
    with Launcher(["pandas", "psutil"], sandbox=sandbox) as shared:
        yield shared


@pytest.fixture
def run_sandboxed(method_folder: Path, sandboxed_launcher: Launcher) -> RunMethod:
    """As ``run_method``, in the sandbox."""

    def run(source: str, unit: Unit = NUMBERS_UNIT, limits: Limits = Limits(60.0)) -> UnitResult:  # noqa: B008
        path = method_folder / "method.py"
        path.write_text(dedent(source))
        return run_unit(unit, read_method_file(path), sandboxed_launcher, limits, threading.Event())

    return run


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
