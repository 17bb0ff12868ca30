"""One call writes everything that shows results, and says what it wrote."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.leaderboard.site.conftest import Site
from wslbench.errors import UnknownTaskError
from wslbench.leaderboard.building import build_board


def test_tables_and_site_are_written_together(site: Site, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("a page of someone's own")
    results = replace(site.results, problems=["half.json: cannot be read"])
    written = build_board(results, site.book, "quick", tmp_path, open_zoo=lambda name: site.zoo)
    assert len(set(written)) == len(written)
    assert set(written) | {tmp_path / "site" / "site.json"} == {path for path in tmp_path.rglob("*") if path.is_file()}
    board = json.loads((tmp_path / "tables" / "board.json").read_text(encoding="utf-8"))
    assert [task["id"] for task in board["tasks"]] == [task["id"] for task in site.data["tasks"]]
    assert board["problems"] == ["half.json: cannot be read"]
    front = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "half.json: cannot be read" in front
    assert front.index('id="suite-quick"') < front.index('id="suite-default"')  # the one that was asked for is first
    assert gc.isenabled()


def test_a_suite_that_is_not_there_writes_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UnknownTaskError):
        build_board(site.results, site.book, "absent", tmp_path, open_zoo=lambda name: site.zoo)
    assert list(tmp_path.iterdir()) == []
