"""Fixtures that all tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests.zoos import NAME, make_tiny_zoo

settings.register_profile("wslbench", deadline=None)  # a busy machine is no failure
settings.load_profile("wslbench")


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
