"""Fetching a zoo of the hub ahead of its use: all of it, or what tasks need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wslbench.errors import TaskError, ZooError
from wslbench.hub.address import HubAddress, parse_address
from wslbench.hub.cached_zoo import CachedZoo, shards_of
from wslbench.tasks import Task, prepare_generation
from wslbench.tasks.problem import task_rows
from wslbench.zoo import Zoo
from wslbench.zoo.atomic import new_folder
from wslbench.zoo.documents import CARD, MANIFEST


class Pulled(NamedTuple):
    """What was fetched: the zoo, its address with the commit, how many of its shards are here now, and where."""

    zoo: Zoo
    address: HubAddress
    shards: int
    folder: Path


def pull_zoo(
    text: str,
    tasks: Sequence[Task] = (),
    out: Path | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Pulled:
    """Fetch a zoo into the cache, checked against its manifest; an interrupted call goes on where it was.

    Parameters
    ----------
    text
        ``hf://owner/name@revision``; scheme and revision may be left out.
    tasks
        Fetch only the shards that these tasks read. Without them: all.
    out
        Where the zoo shall stand as a folder of its own; must not exist yet.
    on_progress
        Called with the share of shards that is here.

    Raises
    ------
    TaskError
        If a task is not about the zoo, or the zoo is asked for whole and for tasks at once.
    ZooError
        If it cannot be fetched, is not sound, or ``out`` is taken.
    """
    if out is not None and tasks:
        raise TaskError("a zoo that stands by itself is whole: give --out, or --shards-for, but not both")
    if out is not None and out.exists():
        raise ZooError(f"{out} exists already; choose another --out")
    cached = CachedZoo.at(parse_address(text))
    zoo = cached.open()
    wanted = sorted({shard for task in tasks for shard in _needed(task, zoo)}) if tasks else shards_of(zoo.manifest)
    for done, shard in enumerate(wanted, start=1):
        if not (zoo.path / shard).is_file():
            cached.fetch_shard(shard)
        on_progress(done / len(wanted))
    if out is not None:
        zoo = _placed(zoo, out)
    return Pulled(zoo, cached.address, len(wanted), zoo.path)


def _needed(task: Task, zoo: Zoo) -> list[str]:
    """The shards of a zoo that hold a task's models."""
    if zoo.name not in task.zoos:
        raise TaskError(f"The task {task.id} is about the zoo {' and '.join(task.zoos)}, not about {zoo.name!r}.")
    if task.kind == "weight_generation":
        problem = prepare_generation(task, zoo)
        ids = pd.concat([problem.train, problem.held_out])["model_id"]
        return sorted(set(zoo.table.loc[ids, "shard"]))
    return sorted(set(task_rows(task, zoo)["shard"]))


def _placed(zoo: Zoo, out: Path) -> Zoo:
    """A folder of the same files: the same bytes on the disk where that can be, else copies."""
    files = [MANIFEST, CARD, "models.parquet", "pairs.parquet", *zoo.manifest.weights.shards]
    files += [f"splits/{protocol}.parquet" for protocol in zoo.protocols]
    out.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(out) as folder:
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(zoo.path / file, folder / file)
            except OSError:
                shutil.copyfile(zoo.path / file, folder / file)
    return Zoo(out)
