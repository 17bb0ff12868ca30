"""``wslbench leaderboard``: compare results, build the tables and the site, take results in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wslbench.foreign_text import shown

if TYPE_CHECKING:
    from wslbench.leaderboard import Results

app = typer.Typer(
    name="leaderboard",
    help="Compare results, build tables and the site, take results in.",
    rich_markup_mode=None,
    invoke_without_command=True,
)

ResultFolders = Annotated[
    list[Path] | None,
    typer.Option("--results", metavar="DIR", help="A folder of results to show beside the committed ones."),
]
Committed = Annotated[bool, typer.Option("--committed/--no-committed", help="Whether to show the committed results.")]
TaskIds = Annotated[list[str] | None, typer.Option("--task", metavar="ID", help="Only this task; repeatable.")]
Suite = Annotated[str | None, typer.Option("--suite", help="Only the tasks of this suite.")]


@app.callback()
def leaderboard(
    context: typer.Context,
    results: ResultFolders = None,
    committed: Committed = True,
    task: TaskIds = None,
    suite: Suite = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables to this file as well.")
    ] = None,
) -> None:
    """Print a table for every task, from results that were checked against their predictions.

    A result in a folder of your own stands in for a committed one of the same method. What is broken or stale is
    named below the tables.
    """
    if context.invoked_subcommand is not None:
        return
    from wslbench.cli._board_report import print_boards, write_markdown
    from wslbench.leaderboard import make_boards

    found = _found(results, committed, task, suite)
    boards = make_boards(found)
    print_boards(boards, found)
    if markdown is not None:
        write_markdown(boards, found.problems, markdown, found.notes)
    _refuse_nothing(found)


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where README.md, tables/ and site/ are written.")],
    results: ResultFolders = None,
    committed: Committed = True,
    suite: Annotated[
        str, typer.Option("--suite", help="The suite whose tables README.md shows; all are written to tables/.")
    ] = "default",
) -> None:
    """Write the board of all tasks: Markdown, CSV, LaTeX and JSON tables, and the site (site/index.html).

    What people wrote on DIR/README.md between its two marks is kept.
    """
    from rich.console import Console

    from wslbench.cli._board_report import print_problems
    from wslbench.leaderboard.building import build_board
    from wslbench.tasks import load_tasks

    found = _found(results, committed, None, None)
    _refuse_nothing(found)
    written = build_board(found, load_tasks(), suite, out)
    print_problems(found)
    shown = sum(len(entries.entries) for entries in found.tasks)
    Console().print(f"{shown:,} results on the board; {len(written)} files written to {out}.", highlight=False)


@app.command()
def add(
    source: Annotated[
        list[Path], typer.Argument(metavar="RESULT_DIR", help="A method's folder of results, or a folder of such.")
    ],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Folder of results to add to; the committed one else.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="A result may take the place of another of its method and task.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only, and write nothing.")] = False,
) -> None:
    """Check results, and add those that stand; leaves with 1 if any is refused.

    Every number is worked out again from the predictions. Refused is what is stale, damaged, edited by hand,
    half-written, misplaced, or there already under another name.
    """
    from rich.console import Console

    from wslbench.bundled import bundled_path
    from wslbench.leaderboard.adding import add_results
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    destination = to or bundled_path("results")
    found = add_results(source, destination, load_tasks(), load_zoo, replace=replace, dry_run=dry_run)
    console = Console()
    for line in found.refused:
        console.print(f"refused    {shown(line)}", markup=False, highlight=False, soft_wrap=True)
    for word, lines in (("unchanged", found.unchanged), ("would add" if dry_run else "added", found.added)):
        for line in lines:
            console.print(f"{word:10} {shown(line)}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{len(found.added)} {'would be added' if dry_run else 'added'}, {len(found.unchanged)} there already, "
        f"{len(found.refused)} refused.",
        highlight=False,
    )
    if found.refused:
        raise typer.Exit(1)


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="A method on the board.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    results: ResultFolders = None,
    committed: Committed = True,
    task: TaskIds = None,
    suite: Suite = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")] = False,
) -> None:
    """Say by how much A is better than B on each task that both have, paired on the same resamples."""
    from wslbench.cli._board_report import print_comparison
    from wslbench.leaderboard import make_boards
    from wslbench.leaderboard.comparing import compare as compare_methods

    found = _found(results, committed, task, suite)
    print_comparison(compare_methods(make_boards(found), one, other), as_json)


@app.command()
def verify(
    folder: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Folders of results; the committed one where none.")
    ] = None,
    task: TaskIds = None,
    suite: Suite = None,
) -> None:
    """Work every number of every result out again; leaves with 1 if a result does not stand.

    Nothing is taken from the cache.
    """
    from rich.console import Console

    from wslbench.bundled import bundled_path
    from wslbench.cli._board_report import print_problems
    from wslbench.leaderboard import read_results
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    book = load_tasks()
    found = read_results(folder or [bundled_path("results")], book, book.select(task=task, suite=suite), load_zoo)
    print_problems(found)
    stand = sum(len(entries.entries) for entries in found.tasks)
    Console().print(f"{stand:,} results stand, {len(found.problems)} do not.", highlight=False)
    if found.problems:
        raise typer.Exit(1)


@app.command()
def rescore(
    folder: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of results.")],
    floors: Annotated[
        Path | None,
        typer.Option("--floors", metavar="DIR", help="Folder of the floors' results; the committed one else."),
    ] = None,
) -> None:
    """Write records of an older scoring version, or beside other floors, anew from their predictions.

    Predictions, costs and everything else that an evaluation found out stay as they are.
    """
    from rich.console import Console

    from wslbench.bundled import bundled_path
    from wslbench.leaderboard.checked_before import default_cache
    from wslbench.leaderboard.rescoring import rescore as rescore_folders
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    done = rescore_folders(folder, load_tasks(), load_zoo, floors or bundled_path("results"), default_cache())
    console = Console()
    for problem in done.problems:
        console.print(f"- {shown(problem)}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{len(done.written)} records written anew, {len(done.current)} were current, {len(done.problems)} left alone.",
        highlight=False,
    )
    if done.problems:
        raise typer.Exit(1)


def _found(results: list[Path] | None, committed: bool, task: list[str] | None, suite: str | None) -> Results:
    from wslbench.bundled import bundled_path
    from wslbench.errors import ResultError
    from wslbench.leaderboard import read_results
    from wslbench.leaderboard.checked_before import default_cache
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    folders = [*(results or []), *([bundled_path("results")] if committed else [])]
    if not folders:
        raise ResultError("There is nothing to show: name a folder with --results, or leave out --no-committed.")
    distinct = list(dict.fromkeys(folder.resolve() for folder in folders))
    book = load_tasks()
    return read_results(distinct, book, book.select(task=task, suite=suite), load_zoo, cache=default_cache())


def _refuse_nothing(found: Results) -> None:
    from wslbench.errors import ResultError

    if not any(entries.entries for entries in found.tasks):
        raise ResultError("There is no result to show; `wslbench evaluate METHOD.py --out DIR` makes one.")
