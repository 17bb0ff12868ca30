"""The fork server gives way where what it has imported would spoil CUDA for forked processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wslbench.evaluation.launcher import Launcher

CC = shutil.which("cc") or shutil.which("gcc")
NOT_INITIALIZED = 3

pytestmark = pytest.mark.skipif(CC is None or sys.platform != "linux", reason="a C compiler makes the driver's double")


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two doubles of the CUDA driver: one on which nobody has called ``cuInit``, one in use."""
    for name, answer in (("idle", NOT_INITIALIZED), ("used", 0)):
        (tmp_path / name).mkdir()
        source = tmp_path / f"{name}.c"
        source.write_text(f"int cuDeviceGetCount(int *count) {{ *count = 1; return {answer}; }}\n")
        library = tmp_path / name / "libcuda.so.1"
        subprocess.run([CC, "-shared", "-Wl,-soname,libcuda.so.1", "-o", library, source], check=True)
        (tmp_path / f"loads_{name}.py").write_text(f"import ctypes\nctypes.CDLL({str(library)!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("module", "in_use"), [("ctypes", False), ("loads_idle", False), ("loads_used", True)])
def test_whether_cuda_is_in_use_is_asked_of_the_driver(driver: Path, module: str, in_use: bool) -> None:
    code = f"import {module}; from wslbench.evaluation.server import cuda_in_use; print(cuda_in_use())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == str(in_use)


@pytest.mark.parametrize(("module", "forks"), [("loads_idle", True), ("loads_used", False)])
def test_units_start_without_a_server_that_has_begun_to_use_cuda(driver: Path, module: str, forks: bool) -> None:
    with Launcher([module], fork=True) as launcher:
        contained = launcher.start(lambda: None, 2**20)
        assert contained.warden > 0
        contained.end()
        assert launcher._server is not None
        if forks:
            assert launcher._server.poll() is None
        else:
            assert launcher._server.wait(30) == 0
