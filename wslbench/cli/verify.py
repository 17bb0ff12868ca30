"""``wslbench verify``: a method's score on public zoos against that on zoos grown again from secret seeds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wslbench.cli._floor_files import floor_files
from wslbench.cli._seed_secret import secret_in
from wslbench.cli.memory import memory_bytes

if TYPE_CHECKING:
    from wslbench.evaluation.verifier import Verification
    from wslbench.population.recipe import Recipe
    from wslbench.population.seed_secret import SeedSecret
    from wslbench.tasks import Task, TaskBook
    from wslbench.zoo import Zoo


def verify(
    method: Annotated[str, typer.Argument(metavar="METHOD.py", help="The method's file, or FILE.py::Class.")],
    seed_secret: Annotated[
        Path, typer.Option("--seed-secret", metavar="FILE", help="The secret that zoos are grown again from.")
    ],
    task: Annotated[
        list[str] | None, typer.Option("--task", metavar="ID", help="Verify on this task; repeatable.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            help="Verify on the tasks of this suite that ask for predictions on one zoo (no task named: quick).",
        ),
    ] = None,
    zoo_cache: Annotated[
        Path, typer.Option("--zoo-cache", metavar="DIR", help="Where zoos that were grown again are kept.")
    ] = Path("regrown-zoos"),
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds each fold is run with.")] = 3,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at a time, of one thread each.")] = 2,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for results.")] = Path("verified"),
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Limit of one fold and seed.")] = 600.0,
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="AMOUNT", help="Limit of one fold and seed, such as 512MiB or 4GiB.")
    ] = "4GiB",
    retry_failures: Annotated[
        bool, typer.Option("--retry-failures", help="Run again what failed in an earlier call.")
    ] = False,
    floors: Annotated[
        bool, typer.Option("--floors", help="Verify the floors and the oracle first, so that results have a lift.")
    ] = False,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="DIR",
            help="Take what was verified into this folder of verified results (maintainers: leaderboard/verified).",
        ),
    ] = None,
    attested_by: Annotated[
        str | None,
        typer.Option("--attested-by", metavar="NAME", help="With --into: who says that the secret was one."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print scores and gaps as JSON, and nothing else on standard output.")
    ] = False,
) -> None:
    """Evaluate a method in the sandbox on public zoos, and on the same zoos grown again from a secret.

    What a method has memorised of public networks is worth nothing on networks that nobody has seen: the gap between
    the two scores. Writes DIR/WAY/METHOD/TASK.json and .parquet for three ways: public (as ever), regrown (fit on the
    public zoo, tested on the other), refitted (fit and tested on the other). Zoos are grown once, and everything goes
    on where it was when the same command is given again. With --into, the results of the re-grown zoo are taken into a
    folder of verified results, which the leaderboard shows. Leaves with 1 if the method failed somewhere, with 2 if it
    could not be evaluated at all.
    """
    if (into is None) != (attested_by is None):
        raise typer.BadParameter("--into and --attested-by go together: somebody has to stand for the secret.")
    limits = timeout, memory_bytes(max_memory)

    from wslbench.cli._evaluation_report import failure_paragraphs, progress
    from wslbench.errors import ResultError
    from wslbench.evaluation import Limits, Settings
    from wslbench.evaluation.evaluator import DEFAULT_SUITE
    from wslbench.evaluation.method_file import read_method_file
    from wslbench.evaluation.tier import isolation_for
    from wslbench.evaluation.verified_files import Attestation, publish, refuse_disclosed
    from wslbench.evaluation.verifier import verify_method
    from wslbench.tasks import load_tasks
    from wslbench.zoo import load_zoo

    read_method_file(method)  # before an hour is spent on a zoo
    secret = secret_in(seed_secret)
    chosen = _chosen(load_tasks(), task or [], suite if suite or task else DEFAULT_SUITE)
    settings = Settings(jobs, Limits(*limits), "cpu", retry_failures, isolation="sandbox")
    note = isolation_for(settings.isolation, settings.device).note
    if note:
        if into is not None:
            raise ResultError(f"{note} Nothing can be verified here, and --into takes nothing else.")
        typer.echo(f"{note} No result will be `verified`.", err=True)
    public = {name: load_zoo(name) for name in dict.fromkeys(each.zoo for each in chosen)}
    if into is not None:
        for name in public:
            refuse_disclosed(into, name, secret.commitment)
    recipes = {name: _recipe_of(zoo) for name, zoo in public.items()}  # all of them, before the first is grown
    regrown = {name: _grown_again(recipe, secret, zoo_cache.absolute(), jobs) for name, recipe in recipes.items()}
    hidden = seed_secret.absolute(), zoo_cache.absolute()
    # Twice: each floor is held against the others, too, which the first time are not there yet. Nothing runs again.
    methods: list[str | Path] = [*(floor_files(method) * 2 if floors else []), method]
    latest: dict[tuple[str | Path, str], Verification] = {}
    for each in methods:
        with progress() as on_progress:
            verified = verify_method(
                each, chosen, public, regrown, seeds, out, settings, hidden=hidden, on_progress=on_progress
            )
        latest |= {(each, found.task): found for found in verified}
    found = list(latest.values())
    if into is not None and attested_by is not None:
        drawn = datetime.fromtimestamp(seed_secret.stat().st_mtime, UTC)
        publish(found, public, regrown, out, into, Attestation(drawn, attested_by))
    if as_json:
        typer.echo(_as_json(found))
    else:
        _print_table(found, out if into is None else into)
    failures = failure_paragraphs([record for each in found for record in each.records.values()])
    for paragraph in failures:
        typer.echo(paragraph, err=True)
    if failures:
        raise typer.Exit(1)


def _as_json(found: list[Verification]) -> str:
    import json

    content = [
        {
            "task": each.task,
            "method": each.records["regrown"].method.name,
            "metric": each.metric,
            "tier": each.records["regrown"].tier,
            "status": {way: record.status for way, record in each.records.items()},
            "scores": {way: score.model_dump() for way, score in each.scores.items()},
            "lift": {
                way: None if record.lift is None else record.lift.model_dump() for way, record in each.records.items()
            },
            "gap": each.gap._asdict(),
        }
        for each in found
    ]
    return json.dumps(content, ensure_ascii=False)


def _chosen(book: TaskBook, named: list[str], suite: str | None) -> list[Task]:
    """The named tasks, and those of the suite that can be verified; the others are told."""
    from wslbench.errors import TaskError
    from wslbench.tasks.regrown_problem import check_verifiable, is_verifiable

    tasks = book.select(named) if named else []
    for task in tasks:
        check_verifiable(task)
    listed = book.select(suite=suite) if suite else []
    left_out = [task.id for task in listed if not is_verifiable(task)]
    chosen = list({task.id: task for task in [*tasks, *filter(is_verifiable, listed)]}.values())
    if not chosen:
        raise TaskError(f"The suite {suite!r} has no task that can be verified: only predictions on one zoo can.")
    if left_out:
        typer.echo(f"left out, as only predictions on one zoo can be verified: {', '.join(left_out)}", err=True)
    return chosen


def _recipe_of(public: Zoo) -> Recipe:
    """The recipe that a zoo can be grown again from; refused where there is none of its name, or another."""
    from wslbench.errors import RecipeError
    from wslbench.population.frozen_cutoffs import with_frozen_cutoffs
    from wslbench.population.recipe_file import load_recipe, recipe_names

    if public.name not in recipe_names():
        raise RecipeError(
            f"the zoo {public.name!r} cannot be grown again: no recipe of its name ships with wslbench; leave its "
            "tasks out"
        )
    return with_frozen_cutoffs(load_recipe(public.name), public)


def _grown_again(recipe: Recipe, secret: SeedSecret, cache: Path, jobs: int) -> Zoo:
    from rich.console import Console

    from wslbench.cli._work_progress import work_progress
    from wslbench.population.regrown_zoos import regrown_zoo

    try:
        with work_progress(f"growing {recipe.name} again", Console(stderr=True)) as told:
            return regrown_zoo(recipe, secret, cache, jobs, told)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; finished work is kept in {cache}: the same command goes on from there", err=True)
        raise typer.Exit(130) from None


def _print_table(found: list[Verification], out: Path) -> None:
    """A table a task: whole names and intervals do not fit side by side into a terminal of 80 columns otherwise."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wslbench.leaderboard.columns import with_ends, with_interval
    from wslbench.tasks.metrics.registry import METRICS

    console = Console()
    for task in dict.fromkeys(each.task for each in found):
        those = [each for each in found if each.task == task]
        console.print(Text(f"{task} · {METRICS[those[0].metric].label}", style="bold"))
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("method", overflow="fold")
        for heading in ("public", "re-grown", "gap", "fit again"):
            table.add_column(heading, justify="right")
        for each in those:
            scores = each.scores
            table.add_row(
                Text(each.records["public"].method.name),
                with_interval(scores["public"]),
                with_interval(scores["regrown"]),
                with_ends(*each.gap),
                with_interval(scores["refitted"]),
            )
        console.print(table)
        console.print()
    tiers = sorted({record.tier for each in found for way, record in each.records.items() if way != "public"})
    console.print(
        f"tier {', '.join(tiers)} · a gap above 0 throughout was memorised · results are in {out}",
        markup=False,
        highlight=False,
    )
