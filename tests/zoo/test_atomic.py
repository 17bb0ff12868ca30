"""Files and folders that appear whole: what a killed writer leaves is cleared away, what a living one writes is not."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.crashes.dying import changes
from wslbench.zoo.atomic import clear_leftovers, new_folder, remove_folder, replacing, write_text
from wslbench.zoo.exchange import exchange

WRITERS = pytest.mark.parametrize("writer", [replacing, new_folder])
Writer = Callable[[Path], AbstractContextManager[Path]]


def killed_while_writing(writer: Writer, path: Path) -> None:
    child = os.fork()
    if child == 0:
        with writer(path) as temporary:
            (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@WRITERS
def test_what_a_killed_writer_left_goes_when_the_same_is_written_again(writer: Writer, tmp_path: Path) -> None:
    path = tmp_path / "content"
    killed_while_writing(writer, path)
    killed_while_writing(writer, tmp_path / "other")
    (first, second) = sorted(tmp_path.iterdir())
    assert first.name.startswith(".content.unfinished-")
    with writer(path):
        assert not first.exists()
    assert sorted(tmp_path.iterdir()) == [second, path]


@WRITERS
def test_two_living_writers_leave_each_other_alone(writer: Writer, tmp_path: Path) -> None:
    with writer(tmp_path / "content") as mine:
        with writer(tmp_path / "content") as theirs:
            assert sorted(tmp_path.iterdir()) == sorted([mine, theirs])
        assert mine.exists()
        if mine.is_dir():
            (tmp_path / "content").rmdir()
    assert list(tmp_path.iterdir()) == [tmp_path / "content"]


def test_a_folder_goes_at_one_stroke_and_what_a_kill_leaves_of_it_goes_later(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for fatal in (None, 2, 3):  # making the place to move it to, moving it, the first of what is in it
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "file").write_text("content")
        changes(lambda: remove_folder(folder), tmp_path, fatal)
        assert not folder.exists() or (folder / "inner" / "file").exists()
        clear_leftovers(folder)
        assert list(tmp_path.iterdir()) == ([folder] if fatal == 2 else [])
        shutil.rmtree(folder, ignore_errors=True)


def test_neighbours_of_similar_names_are_nobodys_leftovers(tmp_path: Path) -> None:
    for name in (".zoo.projects", ".zoo.yaml.unfinished-1", ".zoo.lock"):
        (tmp_path / name).write_text("mine")
    write_text(tmp_path / "zoo", "new")
    assert len(list(tmp_path.iterdir())) == 4


def test_folders_change_places(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    if not exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system cannot exchange folders")
    assert (tmp_path / "one" / "content").read_text() == "other"
    assert (tmp_path / "other" / "content").read_text() == "one"
    assert not exchange(tmp_path / "one", tmp_path / "nothing")
    assert (tmp_path / "one" / "content").read_text() == "other"
