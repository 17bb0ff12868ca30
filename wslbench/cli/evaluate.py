"""``wslbench evaluate``: run a method on tasks and show how it did."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wslbench.cli._floor_files import floor_files
from wslbench.cli.engine_name import EngineName
from wslbench.cli.memory import memory_bytes


class IsolationTier(StrEnum):
    """The tiers in which anybody can evaluate."""

    PROCESS = "process"
    SANDBOX = "sandbox"


def evaluate(
    method: Annotated[str, typer.Argument(metavar="METHOD.py", help="The method's file, or FILE.py::Class.")],
    task: Annotated[
        list[str] | None, typer.Option("--task", metavar="ID", help="Evaluate on this task; repeatable.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            help="Evaluate on the tasks of this suite that ask for what the method does (where no task is named: "
            "quick, or generation for a method that only generates).",
        ),
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option("--tasks", metavar="FILE.yaml", help="Your own task file; all its tasks, unless some are named."),
    ] = None,
    zoo: Annotated[
        list[str] | None,
        typer.Option("--zoo", metavar="ZOO", help="A zoo that your tasks use: its folder, or hf://...; repeatable."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds each fold is run with.")] = 3,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at a time, of one thread each.")] = 2,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for results.")] = Path("runs"),
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Limit of one fold and seed.")] = 600.0,
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="AMOUNT", help="Limit of one fold and seed, such as 512MiB or 4GiB.")
    ] = "4GiB",
    device: Annotated[str, typer.Option("--device", help="The torch device that methods are told to use.")] = "cpu",
    isolation: Annotated[
        IsolationTier,
        typer.Option(
            "--isolation",
            help="What keeps methods from the answers: process, an honour system, or sandbox (bubblewrap: no network; "
            "zoos, tasks, splits and results masked).",
        ),
    ] = IsolationTier.PROCESS,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="local: processes here. ray: a cluster, or one started here.")
    ] = EngineName.local,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of an existing Ray cluster: auto, host:port or ray://host:port."),
    ] = None,
    retry_failures: Annotated[
        bool, typer.Option("--retry-failures", help="Run again what failed in an earlier call.")
    ] = False,
    floors: Annotated[
        bool,
        typer.Option(
            "--floors",
            help="Evaluate the floors and the oracle first, into DIR: tasks of your own have no committed ones.",
        ),
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write what is shown at the end to this page as well.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result records as JSON, and nothing else.")
    ] = False,
) -> None:
    """Evaluate a method on tasks, every fold and seed in a sealed process of its own.

    Writes DIR/METHOD/TASK.json and .parquet. An interrupted evaluation goes on where it was when the same command
    is given again. Leaves with 1 if the method failed somewhere, with 2 if it could not be evaluated at all.
    """
    if as_json and html is not None:
        raise typer.BadParameter("--json prints records and no tables; leave out one of --json and --html.")
    limits = timeout, memory_bytes(max_memory)

    from wslbench.cli import _evaluation_report as report
    from wslbench.engines import make_engine
    from wslbench.evaluation import Limits, Settings
    from wslbench.evaluation import evaluate as evaluate_method
    from wslbench.evaluation.tier import isolation_for
    from wslbench.tasks.book import load_tasks
    from wslbench.zoo import load_zoo

    book = None if tasks is None else load_tasks(tasks)
    if book is not None and not task and suite is None:
        task = list(book.tasks)
    zoos = {opened.name: opened for opened in map(load_zoo, zoo or ())}
    settings = Settings(jobs, Limits(*limits), device, retry_failures, isolation=isolation.value)
    note = isolation_for(settings.isolation, device).note
    if note:
        typer.echo(note, err=True)
    spread = make_engine(engine.value, jobs, address) if engine is EngineName.ray or address is not None else None
    methods: list[str | Path] = [*(floor_files(method) if floors else []), method]
    for each in methods:
        with report.progress() as on_progress:
            records = evaluate_method(
                each,
                task or (),
                suite,
                seeds,
                out,
                settings,
                book=book,
                zoos=zoos,
                engine=spread,
                on_progress=on_progress,
            )
    if as_json:
        report.print_json(records)
    else:
        report.print_tables(records, out, html, book, zoos)
    failures = report.failure_paragraphs(records)
    for paragraph in failures:
        typer.echo(paragraph, err=True)
    if failures:
        raise typer.Exit(1)
