"""``wslbench audit``: what becomes of a method's score when weights change and functions do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wslbench.cli.memory import memory_bytes

if TYPE_CHECKING:
    from wslbench.evaluation import AuditRecord


def audit(
    method: Annotated[str, typer.Argument(metavar="METHOD.py", help="The method's file, or FILE.py::Class.")],
    task: Annotated[
        str | None, typer.Option("--task", metavar="ID", help="The task (the first of the suite quick, if not named).")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds each fold is run with.")] = 1,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Random transforms of each kind, a test model.")] = 4,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at a time, of one thread each.")] = 2,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for results.")] = Path("runs"),
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Limit of one fold and seed.")] = 600.0,
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="AMOUNT", help="Limit of one fold and seed, such as 512MiB or 4GiB.")
    ] = "4GiB",
    device: Annotated[str, typer.Option("--device", help="The torch device that methods are told to use.")] = "cpu",
    retry_failures: Annotated[
        bool, typer.Option("--retry-failures", help="Run again what failed in an earlier call.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON, and nothing else.")] = False,
) -> None:
    """Score a method on test models before and after random transforms that preserve their functions.

    Hidden units are permuted, and, apart from that, scaled where the network allows it. Writes
    DIR/METHOD/audit/TASK.json, which the leaderboard shows as a column. An interrupted audit goes on where it was when
    the same command is given again. Leaves with 1 if the method failed somewhere, with 2 if it could not be run at all.
    """
    limits = timeout, memory_bytes(max_memory)

    from wslbench.cli._evaluation_report import progress
    from wslbench.evaluation import Limits, Settings
    from wslbench.evaluation import audit as audit_method

    settings = Settings(jobs, Limits(*limits), device, retry_failures)
    with progress() as on_progress:
        record = audit_method(method, task, seeds, draws, out, settings, on_progress=on_progress)
    if as_json:
        typer.echo(record.model_dump_json())
    else:
        _print_table(record, out)
    if record.status != "ok":
        typer.echo(f"{record.method.name} failed on {record.task} ({record.status}): {record.message}.", err=True)
        raise typer.Exit(1)


def _print_table(record: AuditRecord, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from wslbench.leaderboard.columns import number, with_interval
    from wslbench.tasks.metrics.registry import METRICS

    seeds = f"{len(record.seeds)} seed{'s' if len(record.seeds) > 1 else ''}"
    console = Console()
    console.print(
        f"{record.method.name} on {record.task} · {seeds}, {record.draws} transforms of each kind", style="bold"
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("test models", METRICS[record.metric].label, "drop", "spread"):
        table.add_column(heading, justify="left" if heading == "test models" else "right")
    table.add_row("as they are", with_interval(record.score), "", "")
    for kind, found in (("permuted", record.permutation), ("scaled", record.scaling)):
        if found is not None:
            drop = f"{number(found.score_drop)} [{number(found.low)}, {number(found.high)}]"
            spread = "–" if found.spread is None else f"{found.spread:.2g}"
            table.add_row(kind, with_interval(found.score), drop, spread)
    console.print(table)
    if record.coverage < 1:
        console.print(
            f"The method covers {100 * record.coverage:.0f} % of the models; chance stands in for the others."
        )
    where = out / record.method.name / "audit" / f"{record.task}.json"
    console.print(f"The audit is in {where}.", markup=False, highlight=False)
