"""A disk that is full: one sentence, nothing half-written, and the same command goes on when there is room."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.crashes.small_disk import SmallDisk, command, with_disk
from tests.engines.here import Here
from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench import engines, tasks, zoo
from wslbench.evaluation.result_files import read_record
from wslbench.zoo import Zoo, load_zoo, verify

MEGABYTE = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where a small disk can be had."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("mounts file systems as Linux does")
    try:
        with_disk(folder, MEGABYTE, lambda disk: True)
    except PermissionError:
        pytest.skip("this user may not mount a file system")
    return folder


def through(
    folder: Path,
    line: list[object],
    sizes: list[int],
    look: Callable[[], object],
    prepare: Callable[[], object] = lambda: None,
) -> Any:
    """Give a command again and again on a disk that grows, until it is through with the last size.

    Returns
    -------
    What ``look`` sees in the end. It is called after every try, and raises where something is half-written.
    """

    def act(disk: SmallDisk) -> Any:
        prepare()
        for size in sizes:
            disk.resize(size)
            said = command(*line)
            if size == sizes[-1]:
                assert said.status == 0, said.text
                return look()
            look()
            *_, last = said.text.strip().split("\n")
            assert said.status == 2, said.text
            assert last.startswith(f"error: the disk is full: {folder}"), said.text
            assert os.strerror(errno.ENOSPC) in last
            assert "free some space and give the same command again" in last
            assert "Traceback" not in said.text
            assert said.text.count("error:") == 1
            assert not list(folder.rglob("*.unfinished-*"))
        return None

    return with_disk(folder, sizes[0], act)


def test_zoo_build(grown: Zoo, recipe: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "make_engine", lambda *_: Here())
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, 10**12))  # it would refuse to begin
    found = through(
        disk,
        ["zoo", "build", recipe, "--out", disk / "tiny"],
        [8192, 65536, 131072, MEGABYTE],
        lambda: (disk / "tiny").exists() and (verify(load_zoo(disk / "tiny")), load_zoo(disk / "tiny").versions),
    )
    assert found == [[], grown.versions]


def test_zoo_annotate(bare: Zoo, options: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "make_engine", lambda *_: Here())

    def look() -> Any:
        found = load_zoo(disk / "bare")
        assert verify(found) == []
        assert found.versions["weights"] == bare.versions["weights"]
        return found.card.annotation_version

    size = 65536
    assert (
        through(
            disk,
            ["zoo", "annotate", disk / "bare", "--options", options],
            [size, size + 8192, size + 49152, MEGABYTE],
            look,
            lambda: shutil.copytree(bare.path, disk / "bare"),
        )
        == 2
    )


def test_evaluate(method: Path, built_tiny_zoo: Path, disk: Path, tmp_path: Path) -> None:
    tiny_tasks(tmp_path)
    out = disk / "runs"
    written: dict[str, bytes] = {}

    def look() -> Any:
        for path in out.rglob("seed-*.json"):
            assert written.setdefault(str(path), path.read_bytes()) == path.read_bytes(), "evaluated twice"
        for path in out.glob("means/*.json"):
            assert len(pd.read_parquet(path.with_suffix(".parquet"))) == read_record(path).task.models
        return len(written)

    options = ["--tasks", tmp_path / "tasks.yaml", "--task", f"{NAME}.loss-gap", "--zoo", built_tiny_zoo]
    units = through(
        disk,
        ["evaluate", method, *options, "--seeds", "1", "--out", out],
        [8192, 20480, 32768, MEGABYTE],
        look,
    )
    assert units == 5


@pytest.fixture
def results(built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of two methods on a task of the tiny zoo, which is the only one."""
    book, tiny = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    monkeypatch.setattr(tasks, "load_tasks", lambda: book)
    monkeypatch.setattr(zoo, "load_zoo", lambda name: tiny)
    for name, noise in (("good", 0.01), ("bad", 3.0)):
        commit(book[f"{NAME}.loss-gap"], tiny, tmp_path / "results", name, noise)
    return tmp_path / "results"


def test_leaderboard_build(results: Path, disk: Path, tmp_path: Path) -> None:
    line = ["leaderboard", "build", "--results", results, "--no-committed", "--out"]
    assert command(*line, tmp_path / "board").status == 0
    whole = {str(path.relative_to(tmp_path / "board")) for path in (tmp_path / "board").rglob("*")}

    def look() -> Any:
        for path in (disk / "board").rglob("*.html"):
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
        return sorted(str(path.relative_to(disk / "board")) for path in (disk / "board").rglob("*"))

    assert through(disk, [*line, disk / "board"], [16384, 61440, 4 * MEGABYTE], look) == sorted(whole)


def test_leaderboard_add(results: Path, disk: Path) -> None:
    def look() -> Any:
        for path in disk.glob("added/*/*.json"):
            read_record(path)
            pd.read_parquet(path.with_suffix(".parquet"))
        return len(list(disk.glob("added/*/*.json")))

    line = ["leaderboard", "add", results, "--to", disk / "added"]
    assert through(disk, line, [4096, 28672, MEGABYTE], look) == 2


@pytest.mark.parametrize("layout", ["state-dicts", "table"])
def test_zoo_export_and_import(layout: str, built_tiny_zoo: Path, disk: Path, tmp_path: Path) -> None:
    out = disk / "out"
    line = ["zoo", "export", built_tiny_zoo, "--format", layout, "--out"]
    count = through(disk, [*line, out], [32768, 81920, 4 * MEGABYTE], lambda: out.exists() and len(list(out.iterdir())))
    assert command(*line, tmp_path / "exported").status == 0
    assert count == len(list((tmp_path / "exported").iterdir()))
    versions = through(
        disk,
        ["zoo", "import", tmp_path / "exported", "--format", layout, "--out", out],
        [65536, 131072, 4 * MEGABYTE],
        lambda: out.exists() and (verify(load_zoo(out)), load_zoo(out).versions),
    )
    assert versions == [[], load_zoo(built_tiny_zoo).versions]
