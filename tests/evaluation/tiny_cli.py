"""``python -m tests.evaluation.tiny_cli TASKS ZOO …``: the command line, on the tiny zoo and its tasks."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.zoos import NAME
from wslbench import tasks as tasks_package
from wslbench import zoo as zoo_package
from wslbench.cli import main
from wslbench.evaluation import auditor, evaluator, work
from wslbench.tasks import load_tasks
from wslbench.zoo import load_zoo

if __name__ == "__main__":
    tasks, zoo = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    evaluator.load_tasks = auditor.load_tasks = tasks_package.load_tasks = lambda: load_tasks(tasks)
    work.load_zoo = zoo_package.load_zoo = lambda name: load_zoo(zoo if name == NAME else name)
    main()
