"""A benchmark whose truth is known: held-out units drawn from an endless grid, two methods already trained.

Loads and temperatures are places in the unit square, a phase is a region of it. A cell is a place; what its networks
share are smooth functions of the place (so that neighbours are alike), an effect of the load, and an effect of the
cell; what a seed adds is small, as in real zoos (.02 of the variance). Both methods err in the same ways, in part
together, so that their difference is paired. Each fold's methods were trained apart and have a bias of their own,
which stays as it is from draw to draw: intervals are conditional on it.

The *declared estimand* of an interval is the mean score over draws of as many held-out units as the task has, with
the trained methods as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tests.evaluation.synthetic import HASHES, predictions, shipped
from wslbench.evaluation.bootstrap import Interval, draw_resamples, interval
from wslbench.evaluation.scoring import score
from wslbench.tasks import PHASES, Problem, make_transform, problem_from_table
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]

SHARES = (26, 17, 25, 25, 20)  # cells of a phase, of 113
METHODS = ("one", "other")


class Design(NamedTuple):
    """What is drawn: cells within their phases, or whole loads with all their cells.

    Attributes
    ----------
    unit
        What is held out.
    spread
        How loads lie: ``even``, one in each twelfth of the range, as zoos lay their grids out; ``random``, anywhere,
        so that the phases' shares differ from draw to draw, which is harder.
    loads, temperatures
        Size of the grid where loads are held out.
    seeds, folds
        Networks a cell, and folds.
    load_effect
        Standard deviation of what all cells of a load share, beyond the smooth functions; only where loads are drawn
        (a cell's share of the other case is in the cell's own effect).
    cell_effect, seed_effect
        The same of a cell's and of a network's own part. The smooth part has standard deviation of about 1.
    """

    unit: Literal["cell", "load"]
    spread: Literal["even", "random"] = "even"
    loads: int = 12
    temperatures: int = 10
    seeds: int = 5
    folds: int = 4
    load_effect: float = 0.4
    cell_effect: float = 0.5
    seed_effect: float = 0.15


class Coverage(NamedTuple):
    """How often an interval held the estimand, and on which side it missed.

    Attributes
    ----------
    estimand
        Mean of the values.
    held
        Share of the repetitions whose interval holds it; ``below``: the interval lay below it; ``above``: above it.
    half_width
        Median half-width.
    """

    estimand: float
    held: float
    below: float
    above: float
    half_width: float


def coverage(design: Design, target: str, metric: str, repetitions: int, seed: int = 0) -> dict[str, Coverage]:
    """Repeat the benchmark; coverage for the first method's score (``score``) and for its lead (``difference``)."""
    intervals: dict[str, list[Interval]] = {"score": [], "difference": []}
    for problem, values in benchmarks(design, target, repetitions, seed):
        resamples = draw_resamples(problem)
        one, other = (score(problem, predictions(problem, each), resamples).draws(metric) for each in values)
        intervals["score"].append(interval(one, resamples.tail))
        intervals["difference"].append(interval(one - other, resamples.tail))
    return {name: _coverage(np.array(found)) for name, found in intervals.items()}


def benchmarks(
    design: Design, target: str, repetitions: int, seed: int
) -> Iterator[tuple[Problem, tuple[FloatArray, FloatArray]]]:
    """Draws of held-out units, with what the two methods predict for them."""
    random = np.random.default_rng(seed)
    bias = 0.2 * random.normal(size=(2, design.folds))  # of the trained methods: the same in all repetitions
    for number in range(repetitions):
        table = _networks(design, random)
        while table["phase"].nunique() < len(PHASES):  # loads that lie anywhere may all lie on one side
            table = _networks(design, random)
        yield _problem(table, design, target, f"draw {number}"), _predictions(table, target, bias, random)


def _coverage(intervals: FloatArray) -> Coverage:
    values, low, high = intervals.T
    estimand = float(values.mean())
    below, above = float((high < estimand).mean()), float((low > estimand).mean())
    held = float(((low <= estimand) & (estimand <= high)).mean())  # an interval that does not exist holds nothing
    return Coverage(estimand, held, below, above, float(np.median((high - low) / 2)))


def _networks(design: Design, random: np.random.Generator) -> pd.DataFrame:
    """Places, phases, folds and what the networks share, a row a network."""
    if design.unit == "cell":
        phase = np.repeat(np.arange(len(PHASES)), SHARES)
        x, y = _places_in(phase, random)
        unit, fold = np.arange(len(phase)), _dealt(len(phase), design.folds, random)
        shared = np.zeros((3, len(phase)))
    else:
        load = np.repeat(np.arange(design.loads), design.temperatures)
        places = random.uniform(size=design.loads)
        if design.spread == "even":
            places = (np.arange(design.loads) + places) / design.loads
        x = places[load]
        y = np.tile((np.arange(design.temperatures) + 0.5) / design.temperatures, design.loads)
        phase = _phase(x, y)
        unit, fold = load, _dealt(design.loads, design.folds, random)[load]
        shared = design.load_effect * random.normal(size=(3, design.loads))[:, load]
    shared = shared + _smooth(x, y) + design.cell_effect * random.normal(size=(3, len(x)))
    cell = np.repeat(np.arange(len(x)), design.seeds)
    own = design.seed_effect * random.normal(size=(3, len(cell)))
    table = pd.DataFrame({"cell": cell, "unit": unit[cell], "fold": fold[cell], "phase": phase[cell]})
    table[["level", "error", "other_error"]] = (shared[:, cell] + own).T
    return table


def _phase(x: FloatArray, y: FloatArray) -> npt.NDArray[np.int64]:
    """A phase's number by its place, roughly as in the phase diagrams of real zoos."""
    wide, hot = x > 0.5, y > 0.55
    return np.select([~wide & ~hot, ~wide & hot, wide & ~hot, wide & hot & (y < 0.8)], [0, 1, 2, 3], 4)


def _places_in(phase: npt.NDArray[np.int64], random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Places drawn evenly from the regions of the phases."""
    x, y = random.uniform(size=(2, 200 * len(phase)))
    found = _phase(x, y)
    chosen = np.concatenate([np.flatnonzero(found == p)[: np.count_nonzero(phase == p)] for p in np.unique(phase)])
    return x[chosen], y[chosen]


def _smooth(x: FloatArray, y: FloatArray) -> FloatArray:
    """What a place says of the target, and of either method's error ``[3, cells]``."""
    return np.stack([2.5 * (x - 0.5) - 2 * (y - 0.5), 0.4 * np.sin(5 * x + 3 * y), 0.4 * np.sin(5 * x - 4 * y)])


def _dealt(units: int, folds: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    return random.permutation(units) % folds


def _predictions(
    table: pd.DataFrame, target: str, bias: FloatArray, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    fold = table["fold"].to_numpy()
    common, own = table["error"].to_numpy(), table["other_error"].to_numpy()
    errors = (common + bias[0, fold], 0.7 * common + 0.9 * own + bias[1, fold])
    if target != "phase":
        level = table["level"].to_numpy()
        return level + errors[0], 0.8 * level + errors[1]
    truth = np.eye(len(PHASES))[table["phase"].to_numpy()]
    # A cell whose error is large is taken for the next phase, all its seeds more or less together.
    next_phase = np.roll(truth, 1, axis=1)
    one, other = (
        np.exp(0.8 * truth + (1.2 * error[:, None] + 0.1 * random.normal(size=truth.shape)) * next_phase)
        for error in errors
    )
    return one, other


def _problem(table: pd.DataFrame, design: Design, target: str, name: str) -> Problem:
    task = replace(shipped(target), transform="identity") if target != "phase" else shipped(target)
    transform = make_transform(task.transform, 1000)
    phase = np.array(PHASES, dtype=object)[table["phase"].to_numpy()]
    rows = pd.DataFrame(
        {
            "model_id": [f"{number:016x}" for number in range(len(table))],
            "run_id": [f"r{number}" for number in range(len(table))],
            "cell_id": [f"c{number}" for number in table["cell"]],
            "unit": [f"u{number}" for number in table["unit"]],
            "fold": table["fold"],
            "phase": phase,
            "phase_probability": 0.95,
            "target": phase if target == "phase" else table["level"],
            "natural_target": np.nan if target == "phase" else table["level"],
            "load": 0.0,
            "temperature": 0.1,
        }
    )
    # A split of its own for each draw, so that each has resamples of its own.
    return problem_from_table(task, rows, design.unit, HASHES._replace(task=task.hash, split=name), transform)


def main() -> None:
    """Print the table of ``docs/statistics.md``; the argument is the number of repetitions."""
    designs = {
        "cells": Design("cell"),
        "12 loads, spread evenly": Design("load"),
        "12 loads, anywhere": Design("load", "random"),
    }
    print("| held out | metric | of | estimand | 95 % intervals that hold it | lie below | lie above | half-width |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    for held_out, design in designs.items():
        for target, metric in (("phase", "balanced_accuracy"), ("loss-gap", "kendall_tau"), ("loss-gap", "r2")):
            for name, found in coverage(design, target, metric, int(sys.argv[1])).items():
                shares = " | ".join(f"{100 * share:.1f} %" for share in (found.held, found.below, found.above))
                label = METRICS[metric].label
                print(f"| {held_out} | {label} | {name} | {found.estimand:.3f} | {shares} | {found.half_width:.3f} |")


if __name__ == "__main__":
    main()
