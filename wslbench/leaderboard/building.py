"""The board as a folder: a page to read, tables for other programs, and the site."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wslbench.bundled import bundled_path
from wslbench.errors import ResultError
from wslbench.leaderboard.aggregate import aggregate, aggregates
from wslbench.leaderboard.board import Board, TaskBoard, make_board
from wslbench.leaderboard.export import board_data
from wslbench.leaderboard.markdown import reading_of, render_markdown, with_reading
from wslbench.leaderboard.results import Results
from wslbench.leaderboard.site import write_site
from wslbench.leaderboard.tables import to_csv, to_json, to_latex
from wslbench.tasks import TaskBook
from wslbench.zoo import Zoo, load_zoo
from wslbench.zoo.atomic import write_text


def build_board(
    results: Results, book: TaskBook, suite: str, folder: Path, open_zoo: Callable[[str], Zoo] = load_zoo
) -> list[Path]:
    """Write everything that shows results.

    Parameters
    ----------
    suite
        The one whose tables ``README.md`` has, and that the site shows first.
    folder
        Gets ``README.md``, ``tables/board.json``, ``tables/results.csv``, for each suite a Markdown page and a LaTeX
        table, and ``site/``, to be opened at ``site/index.html``.
    open_zoo
        Opens a zoo by name for its phase diagram.

    Returns
    -------
    The files that were written; each appears whole or not at all.

    Raises
    ------
    ResultError
        If there is no such suite, or the folder cannot be written.
    """
    book.select(suite=suite)
    with _without_collection():
        return _build(make_board(results, book), suite, folder, open_zoo)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Millions of small objects are made and stay: looking through them for garbage takes a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _build(board: Board, suite: str, folder: Path, open_zoo: Callable[[str], Zoo]) -> list[Path]:
    together = aggregates(board)
    data = board_data(board, together)
    pages = {
        name: render_markdown(board.suite(name), board.problems, together[name], board.notes) for name in board.suites
    }
    tables = folder / "tables"
    texts = {tables / "board.json": to_json(data), tables / "results.csv": to_csv(data)}
    texts |= {tables / f"{name}.tex": to_latex(data, name) for name in data["suites"]}
    texts |= {tables / f"{name}.md": pages[name] for name in data["suites"]}
    try:
        tables.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            write_text(path, text)
    except OSError as error:
        raise ResultError(f"The tables {tables} cannot be written: {error}") from error
    _write_page(pages[suite], folder / "README.md")
    site = write_site(board, data, folder / "site", suite=suite, open_zoo=open_zoo, methods=bundled_path("baselines"))
    return [*texts, folder / "README.md", *site]


def write_page(boards: Sequence[TaskBoard], problems: Sequence[str], path: Path, notes: Sequence[str] = ()) -> None:
    """Write a Markdown page, whole or not at all; the reading on a page that stands there already is kept.

    Raises
    ------
    ResultError
        If the file cannot be read or written.
    """
    _write_page(render_markdown(boards, problems, aggregate(boards), notes), path)


def _write_page(page: str, path: Path) -> None:
    try:
        reading = reading_of(path.read_text(encoding="utf-8")) if path.exists() else ""
        write_text(path, with_reading(page, reading))
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"The page {path} cannot be written: {error}") from error
