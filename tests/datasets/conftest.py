"""Every test has a cache folder and a data folder of its own, and no hub."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("WSLBENCH_DATA", str(folder))
    monkeypatch.setenv("WSLBENCH_CACHE", str(tmp_path / "cache"))
    return folder
