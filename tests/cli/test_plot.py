"""``wslbench plot generation``: what cannot be drawn is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from wslbench.cli import app
from wslbench.errors import ResultError


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("picture.pdf", "png or .svg"),
        ("absent/picture.png", "does not exist"),
        ("picture.png", "no result of a generation"),
    ],
)
def test_bad_input(tmp_path: Path, out: str, words: str) -> None:
    result = CliRunner().invoke(app, ["plot", "generation", str(tmp_path), "--out", str(tmp_path / out)])
    assert isinstance(result.exception, ResultError)
    assert words in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["plot", "generation", str(tmp_path / "absent")])
    assert isinstance(result.exception, ResultError)
    assert "no results folder" in str(result.exception)
