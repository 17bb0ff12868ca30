"""What a server does with imports that fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wslbench.evaluation.server import preload


def test_what_is_not_there_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("colorsys", "no_such_library", "no_such_library.part"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert preload(["no_such_library.part", "no_such_library", "colorsys"])
    assert "colorsys" in sys.modules


@pytest.mark.parametrize("last", ["raise RuntimeError", "import no_such_library", "import another.no_such_part"])
def test_an_import_that_fails_half_way_is_told(last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has imported so far stays imported, and a second attempt would meet that."""
    package = tmp_path / "half_way"
    package.mkdir()
    (package / "__init__.py").write_text(f"from half_way import first\n{last}\n")
    (package / "first.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert not preload(["half_way"])
    monkeypatch.delitem(sys.modules, "half_way.first")
