"""Fixtures that all tests share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests.zoos import NAME, make_tiny_zoo
from wslbench.evaluation import bubblewrap

settings.register_profile("wslbench", deadline=None)  # a busy machine is no failure
settings.load_profile("wslbench")


def pytest_sessionstart() -> None:
    """Where the sandbox has to be tried, as in CI, no test may skip itself for want of it."""
    why = bubblewrap.obstacle() if os.environ.get("WSLBENCH_REQUIRE_SANDBOX") == "1" else None
    if why is not None:
        raise pytest.UsageError(
            f"WSLBENCH_REQUIRE_SANDBOX is set, and the tests of the sandbox would be skipped: {why}."
        )


@pytest.fixture(scope="session")
def built_tiny_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a tiny zoo that all tests of a session share: read only."""
    path = tmp_path_factory.mktemp("zoos") / NAME
    make_tiny_zoo(path)
    return path


@pytest.fixture
def tiny_zoo(built_tiny_zoo: Path, tmp_path: Path) -> Path:
    """Path of a tiny zoo that the test may damage."""
    path = tmp_path / NAME
    shutil.copytree(built_tiny_zoo, path)
    return path
