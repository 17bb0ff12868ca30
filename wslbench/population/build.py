"""Growing a zoo: train and measure column by column, stage cell by cell, annotate, compact.

Killed at any moment it goes on where it was: a trained column is not trained again, a staged cell is not
measured again. Every random draw comes from names, and every column is computed by one thread, so that the
number of processes changes nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from wslbench.datasets import load_dataset
from wslbench.errors import RecipeError, SplitError, ZooError
from wslbench.population.annotation import Annotation, annotate
from wslbench.population.column import column_cells, curve_steps, load_data, measure_column, train_column
from wslbench.population.recipe import Recipe
from wslbench.population.trained_columns import column_path, read_column, save_column
from wslbench.training import TRAINER_VERSION, seed_from
from wslbench.zoo import Split, Zoo, ZooCard, ZooWriter, make_split
from wslbench.zoo.identity import run_id
from wslbench.zoo.protocols import PROTOCOLS
from wslbench.zoo.schema import Axis, DataSetCard

POLL_SECONDS = 0.5

Report = Callable[[float], None]
"""Called with the share of the whole work that is done, from 0 to 1."""


class GrownZoo(NamedTuple):
    """A finished zoo, and what its maker should know."""

    zoo: Zoo
    notes: list[str]


class _Job(NamedTuple):
    recipe: Recipe
    load: int
    destination: Path


def build_zoo(recipe: Recipe, destination: Path, jobs: int = 2, report: Report | None = None) -> GrownZoo:
    """Grow the zoo of a recipe at ``destination``.

    Parameters
    ----------
    jobs
        Processes, of one thread each; a column (all cells of one load) is the unit of work.
    report
        Told now and then which share of the work is done.

    Raises
    ------
    ZooError
        If the destination is taken or was begun with another recipe.
    RecipeError
        If the recipe cannot be trained.
    """
    if recipe.optimisation.batch_size > len(load_dataset(recipe.data_set).train_labels):
        raise RecipeError(f"recipe {recipe.name!r}: batch_size is larger than the train set")
    writer = ZooWriter(destination, fingerprint(recipe))
    _grow_columns(recipe, destination, jobs, report or (lambda share: None))
    staged = [writer.read_staged(cell.cell_id) for cell in recipe.cells()]
    pairs = pd.concat([cell.pairs for cell in staged], ignore_index=True)
    runs = pd.concat([cell.rows for cell in staged], ignore_index=True).drop(columns="architecture")
    annotation = annotate(recipe, runs, pairs, load_dataset(recipe.data_set).classes)
    splits, refused = splits_of(recipe, annotation)
    zoo = writer.compact(card_of(recipe, annotation), annotation.table, pairs, splits)
    return GrownZoo(zoo, annotation.notes + refused)


def fingerprint(recipe: Recipe) -> dict[str, Any]:
    """What a staging folder is bound to: everything that changes weights or measurements."""
    content = recipe.model_dump(mode="json", exclude={"card", "tuned", "grids_tried", "cutoffs"})
    return content | {"trainer_version": TRAINER_VERSION}


def card_of(recipe: Recipe, annotation: Annotation) -> ZooCard:
    """The zoo's card: recipe, frozen phase rule, versions."""
    data = load_dataset(recipe.data_set)
    noise = f"{recipe.label_noise:.1%} of the train labels are wrong, the same for all runs; test labels are clean"
    return ZooCard(
        name=recipe.name,
        content_version=str(TRAINER_VERSION),
        **recipe.card.model_dump(),
        data_set=DataSetCard(
            name=data.name,
            train_size=len(data.train_labels),
            test_size=len(data.test_labels),
            classes=data.classes,
            description=noise if recipe.label_noise else "",
        ),
        architectures={recipe.architecture_name(load): recipe.architecture_of(load) for load in recipe.load.values},
        load=Axis(**recipe.load.model_dump()),
        temperature=Axis(**recipe.temperature.model_dump()),
        measured_epoch=recipe.measured_epoch,
        recipe=recipe.model_dump(mode="json", exclude={"card"}) | {"trainer_version": TRAINER_VERSION},
        phase_rule=None
        if annotation.cutoffs is None
        else {
            "rule": "converged: train_loss < cut-off; connected: mode_connectivity >= cut-off; I neither, II connected "
            "only, III converged only, both: IV-B if cka >= cut-off else IV-A",
            "cutoffs": annotation.cutoffs.model_dump(mode="json"),
        },
        software={
            "wslbench": version("wslbench"),
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
    )


def splits_of(recipe: Recipe, annotation: Annotation) -> tuple[list[Split], list[str]]:
    """The protocols over the cells that have a phase and are finished, and why one could not be made."""
    cells = annotation.cells
    usable = cells[cells["phase"].notna() & ~cells["unfinished"]].reset_index()
    table = annotation.table
    runs = pd.DataFrame(
        {
            "run_id": [run_id(cell, seed) for cell, seed in zip(table["cell_id"], table["seed"], strict=True)],
            "cell_id": table["cell_id"],
        }
    )
    load, temperature = recipe.load.column, recipe.temperature.column
    splits, refused = [], []
    for protocol in PROTOCOLS:
        seed = seed_from(recipe.name, "split", protocol)
        try:
            splits.append(make_split(usable, runs, protocol, seed, load=load, temperature=temperature))
        except SplitError as error:
            refused.append(f"no split {protocol}: {error}")
    return splits, refused


def _grow_columns(recipe: Recipe, destination: Path, jobs: int, report: Report) -> None:
    """Run the columns that are not staged yet, the costliest first; progress comes back through a queue."""
    writer = ZooWriter(destination, fingerprint(recipe))
    done = writer.staged()
    open_loads = [
        load
        for load in sorted(recipe.load.values, reverse=True)
        if any(cell.cell_id not in done for cell in column_cells(recipe, load))
    ]
    total = sum(_work(recipe, load) for load in recipe.load.values)
    finished = total - sum(_work(recipe, load) for load in open_loads)
    report(finished / total)
    if not open_loads:
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        queue = manager.Queue()
        # An interrupt is for the parent to answer; workers would print a traceback each.
        executor = ProcessPoolExecutor(jobs, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
        try:
            pending: set[Future[None]] = {
                executor.submit(_grow_column, _Job(recipe, load, destination), queue) for load in open_loads
            }
            while pending:
                ended, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                while not queue.empty():
                    finished += queue.get()
                report(min(1.0, finished / total))
        except BaseException as error:
            with _deaf_to_interrupts():  # an impatient second one must not leave workers behind
                for process in multiprocessing.active_children():
                    process.terminate()
                executor.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, BrokenProcessPool | OSError):
                raise _stopped(error, destination) from error
            raise
        executor.shutdown()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # others cannot set handlers, nor get interrupts
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stopped(error: Exception, destination: Path) -> ZooError:
    reason = "a worker was killed (out of memory?)" if isinstance(error, BrokenProcessPool) else str(error)
    return ZooError(
        f"growing {destination.name!r} stopped: {reason}. What is finished is kept in {destination}.partial; "
        "mend the cause and give the same command again, perhaps with fewer --jobs"
    )


def _grow_column(job: _Job, queue: Any) -> None:
    """Train (or read back), measure and stage one column; runs in a process of its own."""
    torch.set_num_threads(1)
    recipe, load = job.recipe, job.load
    writer = ZooWriter(job.destination, fingerprint(recipe))
    staging = job.destination.with_name(f"{job.destination.name}.partial")
    data = load_data(recipe)
    step, curve_step = _costs(recipe, load)
    path = column_path(staging, recipe.architecture_name(load))
    trained = read_column(path, recipe.architecture_of(load))
    if trained is None:
        trained = train_column(recipe, load, data, lambda steps: queue.put(steps * step))
        save_column(path, trained)
    else:
        queue.put(step * _training_steps(recipe))
    measured = measure_column(recipe, load, trained, data, lambda steps: queue.put(steps * curve_step))

    for place, cell in enumerate(column_cells(recipe, load)):
        if cell.cell_id in writer.staged():
            continue
        rows = slice(place * recipe.seeds, (place + 1) * recipe.seeds)
        weights = {
            epoch: {name: array[rows] for name, array in stack.arrays().items()}
            for epoch, stack in trained.checkpoints.items()
        }
        runs = measured.runs[measured.runs["cell_id"] == cell.cell_id]
        pairs = measured.pairs[measured.pairs["cell_id"] == cell.cell_id]
        runs = runs.assign(architecture=recipe.architecture_name(load))
        writer.stage(cell.cell_id, runs, weights, pairs)


def _training_steps(recipe: Recipe) -> int:
    per_epoch = len(load_dataset(recipe.data_set).train_labels) // recipe.optimisation.batch_size
    return recipe.continued_epoch * per_epoch


def _costs(recipe: Recipe, load: int) -> tuple[float, float]:
    """Cost of a training step and of a curve step of one column, in arbitrary but common units.

    On a processor a small network's cost follows its activations, plus a constant for every image.
    """
    images = recipe.optimisation.batch_size * recipe.seeds
    pairs = (recipe.seeds * (recipe.seeds - 1) // 2 + recipe.seeds) / 2  # mean of both epochs' numbers of pairs
    per_image = 350.0 + _activations(recipe, load)
    return per_image * images, per_image * recipe.curve.batch_size * pairs


def _activations(recipe: Recipe, load: int) -> float:
    """Numbers that the leaves of the network put out for one input."""
    network = recipe.architecture_of(load).module().eval()
    total = 0.0

    def count(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel()

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    inputs = torch.from_numpy(load_dataset(recipe.data_set).train_inputs[:1])
    with torch.no_grad():
        network(inputs)
    return total


def _work(recipe: Recipe, load: int) -> float:
    step, curve_step = _costs(recipe, load)
    return _training_steps(recipe) * step + curve_steps(recipe) * curve_step
