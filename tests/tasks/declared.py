"""A task file over the tiny zoo, with every kind of target."""

from __future__ import annotations

from pathlib import Path

from tests.zoos import NAME
from wslbench.bundled import bundled_path
from wslbench.tasks import TaskBook, load_tasks


def tiny_tasks(folder: Path) -> TaskBook:
    """The tasks that ship, asked of the tiny zoo."""
    path = folder / "tasks.yaml"
    path.write_text(bundled_path("tasks.yaml").read_text().replace("digits-cnn", NAME))
    return load_tasks(path)
