"""A task file over the tiny zoo, with every kind of target."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.zoos import NAME
from wslbench.bundled import bundled_path
from wslbench.tasks import TaskBook, load_tasks


def tiny_tasks(folder: Path, zoo: str = NAME) -> TaskBook:
    """The predictive tasks of digits-cnn, asked of the tiny zoo or another."""
    path = folder / "tasks.yaml"
    content = yaml.safe_load(bundled_path("tasks.yaml").read_text().replace("digits-cnn", zoo))
    content["tasks"] = [entry for entry in content["tasks"] if entry["zoo"] == zoo]
    suites = {
        suite: [task for task in tasks if task.startswith(f"{zoo}.")] for suite, tasks in content["suites"].items()
    }
    content["suites"] = {suite: tasks for suite, tasks in suites.items() if tasks}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_tasks(path)
