"""``wslbench zoo pull`` and ``wslbench zoo push``: zoos from and to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pull(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME[@REVISION]", help="A dataset repository.")],
    shards_for: Annotated[
        list[str] | None,
        typer.Option("--shards-for", metavar="TASK", help="Fetch only what this task reads; repeatable."),
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", metavar="FILE.yaml", help="The task file of --shards-for, if your own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Also put the whole zoo here, as a folder of its own.")
    ] = None,
) -> None:
    """Fetch a zoo into the cache, checked against its manifest; goes on where an earlier, interrupted call stopped.

    Afterwards it opens offline, by the name that is printed, wherever a zoo is asked for.
    """
    from rich.console import Console

    from wslbench.cli._work_progress import work_progress
    from wslbench.hub import pull_zoo
    from wslbench.tasks.book import load_tasks

    wanted = [load_tasks(tasks)[task] for task in shards_for or ()]
    with work_progress("fetching", Console(stderr=True)) as told:
        pulled = pull_zoo(repository, wanted, out and out.absolute(), told)
    everything = len(pulled.zoo.manifest.weights.shards)
    typer.echo(f"{pulled.address}: {pulled.shards} of {everything} shards are in {pulled.folder}")


def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A zoo's folder.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A dataset repository; made if need be.")],
    revision: Annotated[str, typer.Option("--revision", help="The branch to commit to.")] = "main",
    private: Annotated[bool, typer.Option("--private", help="Make a new repository a private one.")] = False,
) -> None:
    """Publish a zoo on the hub, verified first, with a dataset card made from zoo.yaml; log in by `hf auth login`."""
    from wslbench.hub import push_zoo

    pushed = push_zoo(folder, repository, revision, private)
    typer.echo(f"published as {pushed.address} ({pushed.files} files, {pushed.deleted} old ones removed)")
