"""What ``wslbench zoo build --dry-run`` shows of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from wslbench.population.plan import Plan

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_UNITS = (
    (2 * 365 * 86400, 365 * 86400, "years"),
    (2 * 86400, 86400, "days"),
    (3600, 3600, "hours"),
    (60, 60, "minutes"),
)


def print_plan(plan: Plan) -> None:
    """Print a plan to standard output: its facts, and a line for every load."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for heading, value in plan_facts(plan):
        table.add_row(heading, Text(value))  # Text: square brackets of a path are no markup
    console.print(table)
    console.print()
    console.print(loads_table(plan))


def plan_facts(plan: Plan) -> Iterator[tuple[str, str]]:
    """Heading and value, a line each."""
    recipe, time, work = plan.recipe, plan.time, plan.operations
    least, most = (f"{pick(load.parameters for load in plan.loads):,}" for pick in (min, max))
    yield "zoo", recipe.name
    yield "description", recipe.card.description
    yield "runs", f"{plan.runs:,} in {plan.cells:,} cells of {recipe.seeds} seeds"
    epochs = ", ".join(str(epoch) for epoch in recipe.kept_epochs)
    yield "checkpoints", f"{plan.checkpoints:,} stored, of epoch {epochs}"
    yield "unfinished cells", _unfinished(plan)
    yield "parameters", f"{least} to {most} a network, {_short(plan.parameters)} in all checkpoints"
    yield (
        "FLOPs",
        f"{_short(work.total)}: training {_short(work.training)}, curves {_short(work.curves)}, "
        f"Hessians at most {_short(work.hessians)}, evaluation {_short(work.evaluation)} "
        "(matrix products and convolutions; a training step is three forward passes)",
    )
    yield "disk", f"{_short(plan.zoo_bytes)}B when finished, {_short(plan.peak_bytes)}B while it grows"
    yield (
        "estimated time",
        f"{duration(time.seconds)} with {time.processes} processes on this machine's processor "
        f"(training {duration(time.training)}, curves {duration(time.curves)}, measuring {duration(time.measuring)} "
        f"of one; the longest block takes {duration(time.longest_block)})",
    )
    yield "its basis", _basis(plan)
    samples = "windows of text" if plan.data.tokens else "samples"
    yield "data set", f"{recipe.data_set}: {plan.data.train_size:,} train and {plan.data.test_size:,} test {samples}"
    yield "data files", plan.data.note
    if recipe.unpublished:
        yield "not published", f"our choice, as its authors tell nothing of it: {', '.join(recipe.unpublished)}"


def loads_table(plan: Plan) -> Table:
    """A row a load."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in (plan.recipe.load.label, "parameters", "FLOPs to train a run", "FLOPs of all its runs"):
        table.add_column(heading, justify="right")
    for load in plan.loads:
        cells = (f"{load.load:g}", f"{load.parameters:,}", _short(load.run_training), _short(load.operations.total))
        table.add_row(*cells)
    return table


def duration(seconds: float) -> str:
    """A length of time with two digits, in the unit that suits it."""
    for least, unit, name in _UNITS:
        if seconds >= least:
            return f"{_two_digits(seconds / unit)} {name}"
    return f"{_two_digits(seconds)} seconds"


def _unfinished(plan: Plan) -> str:
    checked = {
        "continued": "every run goes on for twice as long, and its phase is asked again",
        "longer": "fresh runs on a schedule of twice the length, and their phase is asked again",
        "none": "not looked for",
    }
    return checked[plan.recipe.unfinished_check]


def _basis(plan: Plan) -> str:
    time = plan.time
    words = (
        f"an estimate: steps of {time.measured_steps} cells were timed in one thread, as busy as the machine is now, "
        f"and fitted by activations and operations (off by {time.worst_fit:.0%} at worst)"
    )
    if time.extrapolation > 2:
        words += f"; the largest step is {_two_digits(time.extrapolation)} times the largest that was timed"
    if not plan.data.here:
        words += "; made-up samples stood in for the data"
    if time.processes < plan.jobs:
        words += f"; {plan.jobs} jobs share {time.processes} processors"
    return words


def _short(number: float) -> str:
    for size, prefix in _PREFIXES:
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g} "


def _two_digits(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"
