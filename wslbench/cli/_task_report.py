"""What ``wslbench tasks show`` shows of a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from wslbench.tasks import GenerationProblem, Problem, Task


def facts(task: Task, suites: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Heading and value, a line each."""
    from wslbench.tasks.metrics.registry import METRICS

    target = task.column if task.minus is None else f"{task.column} − {task.minus}"
    headline = METRICS[task.headline]
    yield "task", task.id
    yield "label", task.label
    yield "description", task.description
    yield "kind", task.kind
    yield "zoo", task.zoo if task.tested_on is None else f"{task.zoo}, all of it; tested on all of {task.tested_on}"
    scale = "" if task.transform == "identity" else f", on the {task.transform} scale"
    standardised = task.tested_on is not None and task.kind != "phase_classification"
    yield "target", f"{target}{scale}{', standardised within each zoo' if standardised else ''}"
    yield "split", task.protocol
    yield "headline", f"{headline.label} ({'higher' if headline.higher_is_better else 'lower'} is better)"
    yield "suites", ", ".join(suites) or "none"
    yield "version", f"{task.version} (hash {task.hash})"


def fold_table(problem: Problem) -> Table:
    """A row a fold: what it trains on, what it tests, and which phases it never shows."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("fold", "train models", "test models", "test cells", f"units ({problem.unit})"):
        table.add_column(heading, justify="right")
    table.add_column("phases tested", overflow="fold")
    table.add_column("phases absent from training", overflow="fold")
    for fold in problem.folds:
        test = problem.test(fold)
        phases = test.drop_duplicates("cell_id")["phase"].value_counts().sort_index()
        table.add_row(
            str(fold),
            str(len(problem.train(fold))),
            str(len(test)),
            str(test["cell_id"].nunique()),
            str(test["unit"].nunique()),
            ", ".join(f"{phase} {count}" for phase, count in phases.items()),
            ", ".join(problem.absent[fold]) or "none",
        )
    return table


def seed_table(problem: GenerationProblem) -> Table:
    """A row a cell: how many of its seeds generators learn from, and how many are held out."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("cell", "phase", "train seeds", "held-out seeds"):
        table.add_column(heading, justify="right" if heading.endswith("seeds") else "left", overflow="fold")
    held_out = problem.held_out["cell_id"].value_counts()
    for (cell, phase), rows in problem.train.groupby(["cell_id", "phase"]):
        table.add_row(str(cell), str(phase), str(len(rows)), str(held_out.get(cell, 0)))
    return table
