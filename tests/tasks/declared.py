"""A task file over the tiny zoo, with every kind of target."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.zoos import NAME
from wslbench.bundled import bundled_path
from wslbench.tasks import TaskBook, load_tasks


def tiny_tasks(folder: Path) -> TaskBook:
    """The predictive tasks of digits-cnn, asked of the tiny zoo."""
    path = folder / "tasks.yaml"
    content = yaml.safe_load(bundled_path("tasks.yaml").read_text().replace("digits-cnn", NAME))
    content["tasks"] = [entry for entry in content["tasks"] if entry["zoo"] == NAME]
    suites = {
        suite: [task for task in tasks if task.startswith(f"{NAME}.")] for suite, tasks in content["suites"].items()
    }
    content["suites"] = {suite: tasks for suite, tasks in suites.items() if tasks}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_tasks(path)
