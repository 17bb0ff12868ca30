"""The site as files: each page whole or not at all; of what an earlier site left, only its own is removed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from wslbench.errors import ResultError
from wslbench.leaderboard.board import Board
from wslbench.leaderboard.export import Data
from wslbench.leaderboard.site.addresses import addresses_of
from wslbench.leaderboard.site.diagrams import diagrams
from wslbench.leaderboard.site.front_page import front_page, picture_files
from wslbench.leaderboard.site.html import assets
from wslbench.leaderboard.site.method_page import method_page, results_by_method
from wslbench.leaderboard.site.task_page import task_page
from wslbench.zoo import Zoo
from wslbench.zoo.atomic import write_text

RECORD: Final = "site.json"
KIND: Final = "wslbench site"
_OWN: Final = re.compile(r"(?:methods|tasks|zoos)/[A-Za-z0-9_@~-][A-Za-z0-9_@~.-]*\.(?:html|svg)")


def write_site(
    board: Board, data: Data, folder: Path, *, suite: str, open_zoo: Callable[[str], Zoo], methods: Path
) -> list[Path]:
    """Write the site of a board; it works from the folder, without a server and without a network.

    Parameters
    ----------
    data
        The same board as :func:`~wslbench.leaderboard.export.board_data` gives it.
    folder
        Gets ``index.html``, its style and script, ``methods/``, ``tasks/``, ``zoos/``, and ``site.json``, which lists
        them. What an earlier site left there and this one has not is removed; other files are left alone.
    suite
        The one that is seen first.
    open_zoo
        Opens a zoo by name for its phase diagram. Without the zoo, the page says so.
    methods
        Folder of methods' files, whose docstrings are shown.

    Returns
    -------
    The pages and pictures that were written.

    Raises
    ------
    ResultError
        If the folder cannot be written.
    """
    drawn = diagrams((zoo for task in data["tasks"] for zoo in (task["zoo"], task["tested_on"]) if zoo), open_zoo)
    files = dict(picture_files(drawn)) | assets() | dict(_pages(board, data, methods))
    addresses = addresses_of(data["methods"], [task["id"] for task in data["tasks"]])
    files["index.html"] = front_page([each for each in board.tasks if each.entries], data, addresses, drawn, suite)
    try:
        return _write(folder, files)
    except OSError as error:
        raise ResultError(f"The site {folder} cannot be written: {error}") from error


def _pages(board: Board, data: Data, methods: Path) -> Iterator[tuple[str, str]]:
    """The pages in folders, by path in the site."""
    shown = [each for each in board.tasks if each.entries]
    addresses = addresses_of(data["methods"], [task["id"] for task in data["tasks"]]).one_down()
    for each, task in zip(shown, data["tasks"], strict=True):
        yield f"tasks/{addresses.tasks[task['id']]}", task_page(each, data, task, addresses)
    for name, found in results_by_method(shown, data).items():
        yield f"methods/{addresses.methods[name]}", method_page(name, found, data, addresses, methods)


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    former = set(_former(folder / RECORD))
    for name in ("methods", "tasks", "zoos"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # Until all stands, the record has the former pages as well: a build that is killed leaves none that nobody owns.
    _record(folder / RECORD, former | set(files))
    for name, text in files.items():
        write_text(folder / name, text)
    for name in former - set(files):
        with suppress(FileNotFoundError):
            (folder / name).unlink()
    _record(folder / RECORD, files)
    return [folder / name for name in files]


def _record(path: Path, files: Iterable[str]) -> None:
    write_text(path, json.dumps({"kind": KIND, "files": sorted(files)}, indent=1) + "\n")


def _former(path: Path) -> Iterator[str]:
    """What an earlier site wrote, by its own record, as far as a site writes such files."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(record, dict) and record.get("kind") == KIND and isinstance(record.get("files"), list):
        yield from (name for name in record["files"] if isinstance(name, str) and _OWN.fullmatch(name))
